import Foundation

/// Which way a head is turned, in degrees; all zero for a face that looks into the camera.
public struct HeadPose: Sendable, Equatable {
    /// The angle to the side, positive when the face turns to the picture's right.
    public var yaw: Double
    /// The angle upward, positive when it looks up.
    public var pitch: Double
    /// The angle in the picture's plane, positive when its top leans to the picture's right.
    public var roll: Double

    public init(yaw: Double, pitch: Double, roll: Double) {
        self.yaw = yaw
        self.pitch = pitch
        self.roll = roll
    }

    /// The direction of the top of the head in the picture, foreshortened.
    var up: Point {
        let tilt = cos(pitch * .pi / 180)
        return Point(sin(roll * .pi / 180) * tilt, -cos(roll * .pi / 180) * tilt)
    }

    /// The largest of the three, without sign.
    public var greatestAngle: Double { max(abs(yaw), abs(pitch), abs(roll)) }

    /// The pose of a face whose axes in space are known: `x` to the picture's right, `y` down, `z` away from the
    /// camera.
    ///
    /// - Parameters:
    ///   - across: the direction from the side of the face on the picture's left to the one on its right.
    ///   - down: the direction from forehead to chin.
    package init(across: SIMD3<Double>, down: SIMD3<Double>) {
        let x = across / HeadPose.length(across)
        let projected = down - x * (down * x).sum()
        let y = projected / HeadPose.length(projected)
        // z = x × y points away from the camera; the face looks along -z.
        let z = SIMD3(
            x.y * y.z - x.z * y.y, x.z * y.x - x.x * y.z, x.x * y.y - x.y * y.x)
        let degrees = 180 / Double.pi
        yaw = atan2(-z.x, z.z) * degrees
        pitch = asin(max(-1, min(1, z.y))) * degrees
        roll = atan2(x.y, y.y) * degrees
    }

    private static func length(_ vector: SIMD3<Double>) -> Double {
        max((vector * vector).sum().squareRoot(), 1e-9)
    }
}

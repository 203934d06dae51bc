/// Shuts an eye of a portrait: the skin between brow and lashes is drawn down over it.
struct EyeWarp {
    private let frame: FeatureFrame
    private let upper: Curve, lower: Curve
    /// How far above the lashes the skin moves.
    private let reach: Float

    /// The eyes of a face, the one on the picture's left first.
    static func eyes(of face: PortraitFace) -> [EyeWarp] {
        [
            EyeWarp(
                face, corners: (33, 133), upper: [246, 161, 160, 159, 158, 157, 173],
                lower: [7, 163, 144, 145, 153, 154, 155], brow: 52),
            EyeWarp(
                face, corners: (362, 263), upper: [398, 384, 385, 386, 387, 388, 466],
                lower: [382, 381, 380, 374, 373, 390, 249], brow: 282),
        ]
    }

    private init(
        _ face: PortraitFace, corners: (Int, Int), upper: [Int], lower: [Int], brow: Int
    ) {
        frame = FeatureFrame(left: face.point(corners.0), right: face.point(corners.1))
        self.upper = frame.curve(through: upper, of: face)
        self.lower = frame.curve(through: lower, of: face)
        let opening = self.lower(0) - self.upper(0)
        // Less would fold the skin.
        reach = max(1.8 * opening, self.upper(0) - frame.local(face.point(brow)).y)
    }

    /// Where in the portrait something is that is seen at a point of the neutral head.
    ///
    /// - Parameter blink: 0 with the eye as it is, 1 with the eye shut.
    @inline(__always)
    func source(of point: SIMD2<Float>, blink: Float) -> SIMD2<Float> {
        let seen = frame.local(point)
        guard abs(seen.x) < frame.halfWidth, abs(seen.y) < 2 * reach else { return point }
        let lash = upper(seen.x)
        let way = max(0, lower(seen.x) - lash) * blink
        let distance = lash + way - seen.y
        guard distance > -1 else { return point }
        // The lashes' edge is a pixel soft.
        let edge = min(1, distance + 1)
        let shift = way * (1 - smoothStep(distance / reach)) * edge
        return frame.picture(SIMD2(seen.x, seen.y - shift))
    }
}

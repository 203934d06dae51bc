import Foundation
import Perception
import Testing

@Suite struct GeometryTests {
    @Test func overlapIsIntersectionOverUnion() {
        let box = Box(left: 0, top: 0, right: 10, bottom: 20)
        #expect(box.overlap(box) == 1)
        #expect(box.overlap(Box(left: 5, top: 0, right: 15, bottom: 20)) == 1.0 / 3)
        #expect(box.overlap(Box(left: 10, top: 0, right: 20, bottom: 20)) == 0)
        // Apart both ways: the product of two negative sides is no overlap.
        #expect(box.overlap(Box(left: 20, top: 30, right: 40, bottom: 50)) == 0)
        #expect(box.union(Box(left: -5, top: 3, right: 4, bottom: 30)).height == 30)
        #expect(Box(around: [Point(3, 8), Point(-1, 9)]).centre == Point(1, 8.5))
    }

    /// A region's square, laid on the picture: corners where geometry puts them.
    @Test func regionsMapTheirSquare() {
        let centre = Point(100, 50)
        let level = FaceRegion(centre: centre, side: 40, angle: 0).map(size: 192)
        #expect(level(0, 0) == (80, 30))
        #expect(level(192, 96) == (120, 50))
        // A quarter turn clockwise: the square's top is on the picture's right.
        let turned = FaceRegion(centre: centre, side: 40, angle: .pi / 2).map(size: 192)
        let top = turned(96, 0)
        #expect(abs(top.x - 120) < 1e-9 && abs(top.y - 50) < 1e-9)
        let middle = turned(96, 96)
        #expect(abs(middle.x - 100) < 1e-9 && abs(middle.y - 50) < 1e-9)
    }

    @Test func regionsAreSquaresAroundTheLongerSide() {
        let box = Box(left: 0, top: 0, right: 40, bottom: 60)
        let region = FaceRegion(around: box, angle: 0.1, scale: 1.5)
        #expect(region == FaceRegion(centre: Point(20, 30), side: 90, angle: 0.1))
    }
}

@Suite struct HeadPoseTests {
    /// The axes of a head that is first nodded, then turned, then leaned.
    private func pose(yaw: Double, pitch: Double, roll: Double) -> HeadPose {
        func turned(_ v: SIMD3<Double>) -> SIMD3<Double> {
            let (p, y, r) = (pitch * .pi / 180, yaw * .pi / 180, roll * .pi / 180)
            // Looking up takes the chin (+y) towards the camera (-z).
            var w = SIMD3(v.x, v.y * cos(p) + v.z * sin(p), v.z * cos(p) - v.y * sin(p))
            // Turning to the picture's right takes the face (-z) to +x.
            w = SIMD3(w.x * cos(y) - w.z * sin(y), w.y, w.z * cos(y) + w.x * sin(y))
            // Leaning to the picture's right takes the top (-y) to +x.
            return SIMD3(w.x * cos(r) - w.y * sin(r), w.y * cos(r) + w.x * sin(r), w.z)
        }
        return HeadPose(across: turned([7, 0, 0]), down: turned([0, 9, 0]))
    }

    @Test func aFrontalFaceIsZero() {
        let pose = pose(yaw: 0, pitch: 0, roll: 0)
        #expect(abs(pose.yaw) + abs(pose.pitch) + abs(pose.roll) < 1e-9)
    }

    @Test func everyAngleComesBackAlone() {
        for degrees in stride(from: -60.0, through: 60, by: 15) {
            let yaw = pose(yaw: degrees, pitch: 0, roll: 0)
            #expect(abs(yaw.yaw - degrees) < 1e-6 && abs(yaw.pitch) + abs(yaw.roll) < 1e-6)
            let pitch = pose(yaw: 0, pitch: degrees, roll: 0)
            #expect(abs(pitch.pitch - degrees) < 1e-6 && abs(pitch.yaw) + abs(pitch.roll) < 1e-6)
            let roll = pose(yaw: 0, pitch: 0, roll: degrees)
            #expect(abs(roll.roll - degrees) < 1e-6 && abs(roll.yaw) + abs(roll.pitch) < 1e-6)
        }
    }

    @Test func anglesTogetherKeepTheirSigns() {
        for (yaw, pitch, roll) in [(25.0, 10.0, 5.0), (-25, 10, -15), (30, -20, 10)] {
            let pose = pose(yaw: yaw, pitch: pitch, roll: roll)
            #expect(abs(pose.yaw - yaw) < 8 && abs(pose.pitch - pitch) < 12)
            #expect(abs(pose.roll - roll) < 12)
        }
        #expect(HeadPose(yaw: 3, pitch: -20, roll: 7).greatestAngle == 20)
    }

    /// Axes that are not square to each other, and of no length at all, give numbers.
    @Test func anyAxesGiveNumbers() {
        let skewed = HeadPose(across: [10, 0, 0], down: [3, 10, 0])
        #expect(abs(skewed.roll) < 1e-9 && abs(skewed.yaw) < 1e-9)
        let none = HeadPose(across: [0, 0, 0], down: [0, 0, 0])
        #expect(none.yaw.isFinite && none.pitch.isFinite && none.roll.isFinite)
    }
}

@Suite struct FaceLandmarksTests {
    private func face(roll: Double = 0, lips: Double = 0) -> FaceLandmarks {
        var points = [Point](repeating: Point(50, 60), count: IBUG68.count)
        for index in IBUG68.leftEye { points[index] = Point(30, 40) }
        for index in IBUG68.rightEye { points[index] = Point(70, 40) }
        for index in [65, 66, 67] { points[index].y += lips }
        return FaceLandmarks(
            points: points, confidences: [], box: Box(left: 10, top: 10, right: 90, bottom: 110),
            pose: HeadPose(yaw: 0, pitch: 0, roll: roll), presence: 1, sharpness: 0, brightness: 0,
            region: FaceRegion(centre: Point(0, 0), side: 1, angle: 0))
    }

    @Test func mouthsAreMeasuredInEyeDistances() {
        #expect(face().eyeDistance == 40)
        #expect(face().mouthOpening == 0)
        // 21 pixels over 0.42 of the face's height, 100.
        #expect(abs(face(lips: 21).mouthOpening - 0.5) < 1e-9)
    }

    @Test func headsReachAboveTheFaceWhereItsTopPoints() {
        let level = face().head
        #expect(level.left < 10 && level.right > 90)
        #expect(abs(level.top - (60 - 85)) < 1e-9 && level.bottom == 110)
        #expect(level.centre.x == 50)
        #expect(face(roll: 30).head.right > level.right)
        #expect(face(roll: -30).head.left < level.left)
        #expect(face(roll: 30).head.top > level.top)
    }
}

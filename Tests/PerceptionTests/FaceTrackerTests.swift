import Media
import Perception
import Testing

/// A scene of faces that a test moves about: what the doubles below see.
private final class Scene {
    /// In front first: a face whose middle another one covers is not seen.
    var faces: [Box] = []
    var landmarkCalls = 0

    var visible: [Box] {
        faces.indices.filter { index in
            !faces[..<index].contains { $0.overlap(faces[index]) > 0.4 }
        }.map { faces[$0] }
    }
}

private final class SceneDetector: FaceDetector {
    let scene: Scene
    /// Height of the smallest face that it sees.
    let smallest: Double
    /// How far its boxes are off.
    let shift: Double
    private(set) var calls = 0

    init(_ scene: Scene, smallest: Double = 0, shift: Double = 0) {
        (self.scene, self.smallest, self.shift) = (scene, smallest, shift)
    }

    func detect(in frame: VideoFrame) -> [FaceDetection] {
        calls += 1
        return scene.visible.filter { $0.height >= smallest }.map { face in
            let box = Box(
                left: face.left + shift, top: face.top + shift, right: face.right + shift,
                bottom: face.bottom + shift)
            return FaceDetection(
                box: box, score: 0.9, leftEye: box.centre, rightEye: box.centre)
        }
    }
}

/// Sees the face whose middle is nearest to the region's, if it is in the region.
private final class SceneNetwork: LandmarkNetwork {
    let scene: Scene

    init(_ scene: Scene) { self.scene = scene }

    func region(for detection: FaceDetection) -> FaceRegion {
        FaceRegion(around: detection.box, angle: 0, scale: 1.5)
    }

    func landmarks(in frame: VideoFrame, region: FaceRegion) -> FaceLandmarks {
        scene.landmarkCalls += 1
        let nearest = scene.visible.min {
            $0.centre.distance(to: region.centre) < $1.centre.distance(to: region.centre)
        }
        let seen = nearest.flatMap {
            $0.centre.distance(to: region.centre) < region.side / 2 ? $0 : nil
        }
        let half = region.side / 3
        let box =
            seen
            ?? Box(
                left: region.centre.x - half, top: region.centre.y - half,
                right: region.centre.x + half, bottom: region.centre.y + half)
        return FaceLandmarks(
            points: [Point](repeating: box.centre, count: IBUG68.count), confidences: [], box: box,
            pose: HeadPose(yaw: 0, pitch: 0, roll: 0), presence: seen == nil ? 0.1 : 0.99,
            sharpness: 0, brightness: 0,
            region: FaceRegion(around: box, angle: 0, scale: 1.5))
    }
}

@Suite struct FaceTrackerTests {
    private let scene = Scene()
    private let near: SceneDetector
    private let far: SceneDetector
    private let tracker: FaceTracker
    /// The scene is 640x360; nothing looks at the picture itself.
    private let frame: VideoFrame

    init() throws {
        near = SceneDetector(scene, smallest: 60)
        far = SceneDetector(scene, shift: 4)
        tracker = FaceTracker(near: near, far: far, network: SceneNetwork(scene))
        frame = try picture(Place.sample("single_face.mp4"))
        tracker.startVideo()
    }

    private func face(x: Double, y: Double = 180, size: Double = 100) -> Box {
        Box(left: x - size / 2, top: y - size / 2, right: x + size / 2, bottom: y + size / 2)
    }

    private func see(_ faces: Box...) throws -> [FaceObservation] {
        scene.faces = faces
        return try tracker.update(frame)
    }

    @Test func oneFaceKeepsItsNumberWhileItMoves() throws {
        for step in 0..<60 {
            let seen = try see(face(x: 100 + Double(step) * 7))
            #expect(seen.map(\.face) == [0])
            #expect(seen[0].landmarks.box.centre.x == 100 + Double(step) * 7)
            #expect(!seen[0].isCoasting)
        }
    }

    @Test func detectorsRunNowAndThen() throws {
        for _ in 0..<60 { _ = try see(face(x: 100)) }
        // Every 10 pictures: 0, 10, 20, 30, 40, 50. The far one every 30: 0, 30.
        #expect(near.calls == 6)
        #expect(far.calls == 2)
        // Followed in 59 pictures; two looks at what was found in the first.
        #expect(scene.landmarkCalls == 61)
    }

    @Test func anEmptyPictureIsSearchedEveryFifthTime() throws {
        for _ in 0..<20 { #expect(try see().isEmpty) }
        #expect(near.calls == 4)
        #expect(far.calls == 4)
        #expect(scene.landmarkCalls == 0)
        #expect(try see(face(x: 300)).map(\.face) == [0])
    }

    @Test func aFaceBehindAHandStaysTheSame() throws {
        for _ in 0..<5 { _ = try see(face(x: 300)) }
        for _ in 0..<12 {
            let seen = try see()
            #expect(seen.map(\.face) == [0])
            #expect(seen[0].isCoasting)
            #expect(seen[0].landmarks.box == face(x: 300))
        }
        let seen = try see(face(x: 310))
        #expect(seen.map(\.face) == [0])
        #expect(!seen[0].isCoasting)
        #expect(seen[0].landmarks.box == face(x: 310))
    }

    @Test func aFaceThatWasAwayForLongIsAnother() throws {
        for _ in 0..<5 { _ = try see(face(x: 300)) }
        for _ in 0..<13 { _ = try see() }
        #expect(try see().isEmpty)
        for _ in 0..<5 { _ = try see(face(x: 300)) }
        #expect(try see(face(x: 300)).map(\.face) == [1])
    }

    @Test func aFaceThatComesBackElsewhereIsAnother() throws {
        for _ in 0..<5 { _ = try see(face(x: 150)) }
        for _ in 0..<3 { _ = try see() }
        let seen = try see(face(x: 500))
        #expect(seen.filter { !$0.isCoasting }.map(\.face) == [1])
    }

    /// A face does not move by half its height, nor grow by half, from one picture to the next.
    @Test func aJumpIsAnotherFace() throws {
        _ = try see(face(x: 300))
        #expect(try see(face(x: 325)).map(\.face) == [0])
        #expect(try see(face(x: 375)).map(\.face) == [1])
        #expect(try see(face(x: 375, size: 130)).map(\.face) == [1])
        #expect(try see(face(x: 375, size: 70)).map(\.face) == [2])
    }

    @Test func aNewShotBreaksEveryFace() throws {
        _ = try see(face(x: 300))
        tracker.startShot()
        #expect(try see(face(x: 300)).map(\.face) == [1])
    }

    @Test func aNewVideoCountsFromZero() throws {
        var runs: [[[Int]]] = []
        for _ in 0..<2 {
            tracker.startVideo()
            runs.append(
                try (0..<40).map { step in
                    let faces = [face(x: 100), face(x: 500 - Double(step) * 4)]
                    scene.faces = step % 17 > 13 ? [faces[0]] : faces
                    return try tracker.update(frame).map(\.face)
                })
        }
        #expect(runs[0] == runs[1])
        #expect(runs[0][0] == [0, 1])
    }

    @Test func bothDetectorsSeeingAFaceMakeOne() throws {
        for _ in 0..<35 {
            #expect(try see(face(x: 200), face(x: 450, size: 80)).map(\.face) == [0, 1])
        }
    }

    @Test func aSmallFaceIsFoundByTheFarDetector() throws {
        _ = try see(face(x: 200))
        // From here on a small face, which the near detector does not see.
        var found: Int?
        for step in 1...40 where found == nil {
            if try see(face(x: 200), face(x: 500, size: 30)).count == 2 { found = step }
        }
        #expect(found == 30)
    }

    @Test func aFaceThatLeavesIsGone() throws {
        var last: [FaceObservation] = []
        for step in 0..<60 {
            let x = 500 + Double(step) * 5
            last = try x < 690 ? see(face(x: x)) : see()
            // Once its middle is outside the picture, it is not seen.
            if x >= 640 { #expect(last.allSatisfy { $0.isCoasting }) }
        }
        #expect(last.isEmpty)
    }

    /// The one in front is the same face all the way; the other never takes its number.
    @Test(arguments: [true, false])
    func facesThatCrossAreNotMixedUp(frontIsOlder: Bool) throws {
        // Who is older has the lower number.
        if frontIsOlder {
            _ = try see(face(x: 100))
        } else {
            _ = try see(face(x: 540))
        }
        var numbers: (front: Set<Int>, rear: Set<Int>) = ([], [])
        for step in 0...110 {
            let front = face(x: 100 + Double(step) * 4)
            let rear = face(x: 540 - Double(step) * 4)
            for observation in try see(front, rear) where !observation.isCoasting {
                let centre = observation.landmarks.box.centre
                if centre == front.centre {
                    numbers.front.insert(observation.face)
                } else {
                    numbers.rear.insert(observation.face)
                }
            }
        }
        #expect(numbers.front == [frontIsOlder ? 0 : 1])
        #expect(numbers.rear.isDisjoint(with: numbers.front))
        #expect(!numbers.rear.isEmpty)
    }

    /// A face that is lost must not take another one away that comes to where it was.
    @Test func aLostFaceDoesNotHideAnother() throws {
        for _ in 0..<5 { _ = try see(face(x: 200), face(x: 340)) }
        // The left one disappears; the right one moves to where it was.
        for step in 1...10 {
            let seen = try see(face(x: 340 - Double(step) * 14))
            #expect(seen.filter { !$0.isCoasting }.map(\.face) == [1])
        }
    }
}

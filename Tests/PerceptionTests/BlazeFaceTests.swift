import Media
import Perception
import Testing

@MainActor @Suite struct BlazeFaceTests {
    /// MediaPipe's SsdAnchorsCalculator with the options of face_detection_short_range: strides 8,
    /// 16, 16, 16, two anchors for each layer, of which those of one stride lie together.
    @Test func anchorsAreMediaPipes() {
        let short = BlazeFace.anchors(grids: [(16, 2), (8, 6)])
        #expect(short.count == 896)
        #expect(short[0] == Point(0.03125, 0.03125))
        #expect(short[1] == short[0])
        #expect(short[2] == Point(0.09375, 0.03125))
        #expect(short[32] == Point(0.03125, 0.09375))
        #expect(short[511] == Point(0.96875, 0.96875))
        #expect(short[512...517].allSatisfy { $0 == Point(0.0625, 0.0625) })
        #expect(short[518] == Point(0.1875, 0.0625))
        #expect(short[895] == Point(0.9375, 0.9375))
        let full = BlazeFace.anchors(grids: [(48, 1)])
        #expect(full.count == 2304)
        #expect(full[49] == Point(1.5 / 48, 1.5 / 48))
    }

    private func face(_ left: Double, _ top: Double, size: Double = 100, score: Double)
        -> FaceDetection
    {
        FaceDetection(
            box: Box(left: left, top: top, right: left + size, bottom: top + size), score: score,
            leftEye: Point(left + 30, top + 40), rightEye: Point(left + 70, top + 40))
    }

    @Test func overlappingDetectionsBecomeTheirWeightedMean() {
        let kept = BlazeFace.weightedSuppression([
            face(10, 0, score: 0.5), face(0, 0, score: 0.9), face(300, 50, score: 0.7),
            face(0, 20, score: 0.6),
        ])
        #expect(kept.count == 2)
        #expect(kept.map(\.score) == [0.9, 0.7])
        // (10·0.5 + 0·0.9 + 0·0.6) / 2, (0 + 0 + 20·0.6) / 2
        #expect(abs(kept[0].box.left - 2.5) < 1e-9)
        #expect(abs(kept[0].box.top - 6) < 1e-9)
        #expect(abs(kept[0].box.right - 102.5) < 1e-9)
        #expect(abs(kept[0].leftEye.x - 32.5) < 1e-9)
        #expect(abs(kept[0].rightEye.y - 46) < 1e-9)
        #expect(kept[1] == face(300, 50, score: 0.7))
    }

    @Test func facesSideBySideStayApart() {
        // Overlap 20·100 / (2·100·100 - 20·100) = 0.11.
        let both = [face(0, 0, score: 0.8), face(80, 0, score: 0.7)]
        #expect(BlazeFace.weightedSuppression(both) == both)
        #expect(BlazeFace.weightedSuppression([]) == [])
        // A box without area overlaps nothing, not even itself.
        let flat = face(0, 0, size: 0, score: 0.9)
        #expect(BlazeFace.weightedSuppression([flat] + both) == both)
    }

    @Test(arguments: Reference.faces)
    func agreesWithMediaPipe(reference: Reference) throws {
        let frame = try picture(Place.sample(reference.file), at: reference.frame)
        try compare(Networks.near.get().detect(in: frame), reference.near)
        try compare(Networks.far.get().detect(in: frame), reference.far)
    }

    private func compare(_ found: [FaceDetection], _ reference: [Reference.Detection]) {
        // Scores near the threshold may fall to either side of it.
        let certain = reference.filter { $0.score > 0.7 }
        #expect(found.count >= certain.count && found.count <= reference.count)
        for expected in certain {
            let nearest = found.max { $0.box.overlap(expected.box) < $1.box.overlap(expected.box) }
            guard let nearest else { continue }
            #expect(nearest.box.overlap(expected.box) > 0.85)
            #expect(abs(nearest.score - expected.score) < 0.15)
            let size = expected.box.height
            #expect(nearest.leftEye.distance(to: expected.leftEye) < 0.05 * size)
            #expect(nearest.rightEye.distance(to: expected.rightEye) < 0.05 * size)
        }
    }

    @Test func findsNoFaceWhereThereIsNone() throws {
        for index in [0, 40] {
            let frame = try picture(Place.sample("small.mp4"), at: index)
            #expect(try Networks.near.get().detect(in: frame) == [])
            #expect(try Networks.far.get().detect(in: frame) == [])
        }
    }

    /// A tall picture is letterboxed at its sides: boxes must come back unshifted.
    @Test func tallPicturesGiveTheSameBoxes() throws {
        let path = Place.sample("single_face.mp4")
        let detector = try Networks.near.get()
        let wide = try largest(detector.detect(in: picture(path)))
        let tall = try largest(
            detector.detect(in: picture(path, filter: "crop=320:360:140:0")))
        #expect(abs(tall.box.left + 140 - wide.box.left) < 0.06 * wide.box.width)
        #expect(abs(tall.box.top - wide.box.top) < 0.06 * wide.box.width)
        #expect(abs(tall.box.width - wide.box.width) < 0.1 * wide.box.width)
    }
}

import Errors
import Foundation
import Media
import Perception
import TestSupport
import Testing
import Torch

/// Small random networks with the interfaces of DWPose's: Fixtures/make_dwpose.py.
private enum Files {
    static let folder = Place.fixtures + "dwpose/"
    static let detector = folder + "detector.onnx"
    static let pose = folder + "pose.onnx"
}

/// What rtmlib finds with them in one picture.
struct RtmlibReference: Decodable, Sendable, CustomTestStringConvertible {
    let file: String
    /// On the 25 fps grid.
    let frame: Int
    /// Left, top, right, bottom of each person.
    let boxes: [[Double]]
    /// `[persons, 68, 2]` and `[persons, 68]`.
    let points: [[[Double]]]
    let confidences: [[Double]]
    /// Whether a point's peaks stand out beyond what rounding may turn.
    let clear: [[Bool]]

    var testDescription: String { "\(file), picture \(frame)" }

    static let all: [RtmlibReference] = Reference.load("dwpose/rtmlib.json")
}

@Suite struct DWPoseTests {
    private static let someFrames = [
        ("single_face.mp4", 0), ("obama_speech.mp4", 100), ("single_face.mp4", 30),
    ].map { try? picture(Place.sample($0.0), at: $0.1) }

    private func frames() throws -> [VideoFrame] { try Self.someFrames.map { try #require($0) } }

    private func faces(
        _ detector: String = Files.detector, _ pose: String = Files.pose, device: Device = .cpu,
        in frames: [VideoFrame]
    ) throws -> [[FacePoints]] {
        try DWPose(detector: detector, pose: pose, device: device).faces(in: frames)
    }

    @Test(arguments: RtmlibReference.all)
    func pointsAreThoseOfRtmlib(_ reference: RtmlibReference) throws {
        let frame = try picture(Place.sample(reference.file), at: reference.frame)
        let found = try #require(try faces(in: [frame]).first)
        #expect(found.count == max(1, reference.boxes.count))
        for (person, face) in found.enumerated() {
            let box =
                person < reference.boxes.count
                ? reference.boxes[person] : [0, 0, Double(frame.width), Double(frame.height)]
            // Two bins a pixel of the network's 288.
            let width = max(box[2] - box[0], (box[3] - box[1]) * 0.75) * 1.25
            let bin = width / 576
            for index in 0..<68 {
                let point = reference.points[person][index]
                let isClear = reference.clear[person][index]
                #expect(
                    !isClear
                        || face.points[index].distance(to: Point(point[0], point[1])) < bin / 2,
                    "person \(person), point \(index)")
                #expect(
                    abs(Double(face.confidences[index]) - reference.confidences[person][index])
                        < 1e-2)
            }
        }
        let clear = Array(reference.clear.joined())
        #expect(clear.count { $0 } * 10 > clear.count * 9)
    }

    /// Confidences, of up to 3, are the same but for the rounding of pixels, and points but for one in
    /// a hundred, whose peaks are as good as equal.
    private func expectSame(
        _ a: [[FacePoints]], _ b: [[FacePoints]], at location: SourceLocation = #_sourceLocation
    ) {
        #expect(a.map(\.count) == b.map(\.count), sourceLocation: location)
        var moved = 0, count = 0
        for (a, b) in zip(a.joined(), b.joined()) {
            for index in 0..<68 {
                if a.points[index].distance(to: b.points[index]) > 1e-2 { moved += 1 }
                count += 1
                #expect(
                    abs(a.confidences[index] - b.confidences[index]) < 1e-2,
                    sourceLocation: location)
            }
        }
        #expect(count > 0 && moved * 100 <= count, sourceLocation: location)
    }

    @Test func howManyPicturesAreGivenAtOnceChangesNothing() throws {
        let frames = try frames()
        let network = try DWPose(detector: Files.detector, pose: Files.pose)
        let together = try network.faces(in: frames)
        let single = try frames.flatMap { try network.faces(in: [$0]) }
        #expect(together.map(\.count) == single.map(\.count))
        for (a, b) in zip(together.joined(), single.joined()) {
            #expect(a.points == b.points)
            #expect(a.confidences == b.confidences)
        }
        #expect(try network.faces(in: []).isEmpty)
    }

    @Test func aNetworkForSinglePicturesGivesTheSame() throws {
        let frames = try frames()
        expectSame(
            try faces(in: frames),
            try faces(Files.detector, Files.folder + "pose-single.onnx", in: frames))
    }

    /// The pose network was traced for five pictures, as the published one; the detector for one.
    @Test func torchScriptGivesTheSame() throws {
        let frames = try frames()
        expectSame(
            try faces(in: frames),
            try faces(Files.folder + "detector.pt", Files.folder + "pose.pt", in: frames))
    }

    @Test(.enabled(if: Device.cudaCount > 0, "there is no CUDA device"))
    func torchScriptGivesTheSameOnCUDA() throws {
        let frames = try frames()
        expectSame(
            try faces(in: frames),
            try faces(
                Files.folder + "detector.pt", Files.folder + "pose.pt", device: .cuda(0),
                in: frames))
    }

    // MARK: Which face

    private func face(side: Double, confidence: Float) -> FacePoints {
        FacePoints(
            points: (0..<68).map { Point(Double($0 % 2) * side, Double($0 / 34) * side) },
            confidences: [Float](repeating: confidence, count: 68))
    }

    @Test func theMainFaceIsLargeAndSeen() {
        let speaker = face(side: 100, confidence: 0.8), passer = face(side: 30, confidence: 0.9)
        let turnedAway = face(side: 150, confidence: 0.1)
        #expect(FacePoints.main(of: [passer, speaker, turnedAway])?.box == speaker.box)
        #expect(FacePoints.main(of: [face(side: 100, confidence: 0)]) == nil)
        #expect(FacePoints.main(of: []) == nil)
    }

    // MARK: Suppression

    @Test func ofBoxesThatOverlapTheSurestStays() {
        func detection(_ left: Float, _ score: Float) -> PersonDetector.Detection {
            .init(box: .init(left: left, top: 0, right: left + 99, bottom: 99), score: score)
        }
        // 70 of 130 columns are common to the first two, 40 of 160 to the second and the third.
        let kept = PersonDetector.separate([
            detection(0, 0.5), detection(30, 0.9), detection(90, 0.4),
        ])
        #expect(kept.map(\.score) == [0.9, 0.4])
    }

    // MARK: Pictures

    @Test func aPictureIsCutWhereItIsAskedFor() {
        var pixels: [UInt8] = []
        for y in 0..<3 {
            for x in 0..<4 { pixels += [UInt8(x * 40), UInt8(y * 100), 7] }
        }
        let ramp = RGBPicture(width: 4, height: 3, pixels: pixels)
        let same = ramp.cut(left: 0, top: 0, step: 1, width: 4, height: 3)
        #expect(same.pixels == ramp.pixels)
        #expect(ramp.resized(width: 4, height: 3).pixels == ramp.pixels)
        let between = ramp.cut(left: 0.5, top: 0.25, step: 1, width: 2, height: 2)
        #expect(between.pixels == [20, 25, 7, 60, 25, 7, 20, 125, 7, 60, 125, 7])
        // Black begins a pixel beyond the last one, and fades in to there.
        let beyond = ramp.cut(left: 3, top: 0, step: 0.5, width: 4, height: 1)
        #expect(beyond.pixels == [120, 0, 7, 60, 0, 4, 0, 0, 0, 0, 0, 0])
    }

    // MARK: What is wrong

    private func message(_ body: () throws -> some Any) -> String {
        do {
            _ = try body()
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test func namesNetworksThatAreOthers() throws {
        let frames = Array(try frames().prefix(1))
        #expect(
            message { try faces(Files.pose, Files.pose, in: frames) }
                .hasPrefix(Files.pose + ": gives ["))
        #expect(
            message { try faces(Files.detector, Files.detector, in: frames) }
                .contains("SimCC network of 133 points is wanted"))
        #expect(
            message { try faces(EmbeddedNetwork.sileroVAD.path, Files.pose, in: frames) }
                .hasPrefix(EmbeddedNetwork.sileroVAD.path + ": "))
        try withFolder { folder in
            let path = folder + "/weights.pt"
            try Data("not TorchScript".utf8).write(to: URL(fileURLWithPath: path))
            let message = message { try faces(path, Files.pose, in: frames) }
            #expect(message.hasPrefix(path + ": cannot be read as TorchScript"))
        }
    }

    @Test func settingsNameTheFilesAndWhatIsMissing() throws {
        var settings = DWPoseKeypoints()
        (settings.detector, settings.pose) = (Files.detector, Files.pose)
        let files = try settings.files(for: "x.landmarks")
        #expect(files == ["detector": Files.detector, "pose": Files.pose])

        settings.pose = "/nowhere/pose.onnx"
        let missing = #expect(throws: LoopyError.self) { try settings.files(for: "x.landmarks") }
        #expect(missing?.category == .configuration)
        #expect(missing?.message.hasPrefix("x.landmarks: ") == true)
        #expect(missing?.message.contains("/nowhere/pose.onnx is missing") == true)
        #expect(missing?.message.contains("`loopy models`") == true)

        (settings.pose, settings.device) = (Files.pose, "cuda:99")
        #expect(message { try settings.files(for: "x") }.contains("no device 'cuda:99'"))
    }

    @Test(.enabled(if: Device.cudaCount > 0, "there is no CUDA device"))
    func onnxNetworksRunOnTheCPUOnly() throws {
        var settings = DWPoseKeypoints()
        (settings.detector, settings.pose) = (Files.detector, Files.pose)
        settings.device = "cuda:0"
        #expect(message { try settings.files(for: "x") }.contains("TorchScript"))
    }
}

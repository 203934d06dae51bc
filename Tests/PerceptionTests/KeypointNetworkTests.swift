import Errors
import Foundation
import Media
import Perception
import Settings
import Testing

/// A third network, as somebody would add it. It sees one face in the middle of every picture.
private struct MiddleKeypoints: KeypointNetwork, DescribedSettings {
    var weights = ""
    var size = 0.5

    static var settings: [Setting<MiddleKeypoints>] {
        [
            .text("weights", \.weights, "a file", mayBeEmpty: true, "The network's file."),
            .number("size", \.size, in: 0...1000, unit: "pixels", "The size of the face."),
        ]
    }

    static let name = "middle"
    static let version = 3

    var configuration: [String: String] { ["size": "\(size)"] }

    func files(for setting: String) throws -> [String: String] {
        try locate(["weights": weights], device: "cpu", for: setting)
    }

    static func measuringRole(_ role: String) -> String { "middle_" + role }

    var input: KeypointInput { .wholePictures { _, _ in MiddleNetwork(size: size) } }
}

private final class MiddleNetwork: WholePictureNetwork {
    let batch = 4
    private let size: Double

    init(size: Double) { self.size = size }

    func faces(in frames: [VideoFrame]) -> [[FacePoints]] {
        frames.map { frame in
            let middle = Point(Double(frame.width) / 2, Double(frame.height) / 2)
            let points = (0..<68).map {
                Point(middle.x + Double($0 % 2) * size, middle.y + Double($0 / 34) * size)
            }
            return [FacePoints(points: points, confidences: points.map { _ in 0.75 })]
        }
    }
}

/// A section that knows the third network too.
private struct ThreeNetworks: DescribedSettings {
    static var settings: [Setting<ThreeNetworks>] { [] }

    var keypoints = KeypointChoice(MiddleKeypoints())

    init() {}

    init(from decoder: any Decoder) throws {
        keypoints = try KeypointChoice(from: decoder, KeypointNetworks.all + [MiddleKeypoints()])
    }

    func encode(to encoder: any Encoder) throws { try keypoints.encode(to: encoder) }
}

@Suite struct KeypointNetworkTests {
    private static let dwpose = Place.fixtures + "dwpose/"

    private func read(_ settings: [String]) throws -> KeypointChoice {
        try Configuration.read(
            KeypointChoice(), section: ["measure"], file: nil,
            overrides: settings.map { "measure." + $0 })
    }

    private func message(_ body: () throws -> some Any) -> String {
        let error = #expect(throws: LoopyError.self) { _ = try body() }
        #expect(error?.category == .configuration)
        return error?.message ?? ""
    }

    @Test func faceMeshIsTheDefault() throws {
        let clips = try KeypointChoice().forClips(detector: "embedded", setting: "x", threads: 1)
        #expect(clips.version == 1)
        #expect(clips.configuration.isEmpty)
        #expect(
            clips.files == [
                "detector": EmbeddedNetwork.blazeFaceShortRange.path,
                "landmarks": EmbeddedNetwork.faceMesh.path,
            ])
        let measuring = try KeypointChoice().forMeasuring(setting: "x", threads: 1)
        #expect(measuring.configuration.isEmpty)
        #expect(measuring.files == ["landmarks": EmbeddedNetwork.faceMesh.path])
        #expect(try measuring.load().replacing == nil)
    }

    @Test func aFileIsAnotherFaceMesh() throws {
        let file = EmbeddedNetwork.faceMesh.path
        let choice = try read(["landmarks=\(file)"])
        #expect(try choice.forMeasuring(setting: "x", threads: 1).files == ["landmarks": file])
        let clips = try choice.forClips(detector: "/faces.tflite", setting: "x", threads: 1)
        #expect(clips.files == ["detector": "/faces.tflite", "landmarks": file])
        #expect(clips.configuration.isEmpty)
    }

    @Test func aNameChoosesANetworkWithItsSection() throws {
        let (detector, pose) = (Self.dwpose + "detector.onnx", Self.dwpose + "pose.onnx")
        let choice = try read([
            "landmarks=dwpose", "dwpose.detector=\(detector)", "dwpose.pose=\(pose)",
        ])
        let clips = try choice.forClips(detector: "embedded", setting: "x", threads: 1)
        #expect(clips.version == 1)
        #expect(clips.configuration == ["landmarks": "dwpose"])
        #expect(clips.files == ["detector": detector, "pose": pose])
        let measuring = try choice.forMeasuring(setting: "x", threads: 1)
        #expect(measuring.configuration.isEmpty)
        #expect(
            measuring.files == [
                "landmarks": EmbeddedNetwork.faceMesh.path, "person_detector": detector,
                "pose": pose,
            ])
        let networks = try measuring.load()
        #expect(networks.replacing is DWPose)
        #expect(networks.following is FaceMesh)
    }

    @Test func whatIsNeitherANameNorAFileIsSaid() throws {
        let choice = try read(["landmarks=dwpos"])
        let message = message { try choice.forMeasuring(setting: "x.landmarks", threads: 1) }
        #expect(message.hasPrefix("x.landmarks: 'dwpos' is neither"))
        #expect(message.contains("did you mean 'dwpose'?"))
        #expect(self.message { try read(["dwpose.detektor=a"]) }.contains("'detector'"))
    }

    /// Nothing but the type and its entry in the list is needed.
    @Test func aThirdNetworkIsOneType() throws {
        let weights = EmbeddedNetwork.faceMesh.path
        let choice = try Configuration.read(
            ThreeNetworks(), section: ["extract", "keypoints"],
            file: nil,
            overrides: ["middle.weights=\(weights)", "middle.size=8"]
                .map { "extract.keypoints." + $0 } + ["measure.landmarks=embedded"]
        ).keypoints

        let clips = try choice.forClips(detector: "embedded", setting: "x", threads: 1)
        #expect(clips.version == 3)
        #expect(clips.configuration == ["landmarks": "middle", "size": "8.0"])
        #expect(clips.files == ["weights": weights])
        let reader = try VideoReader(
            path: Place.sample("single_face.mp4"), range: 0..<10, threads: 1)
        let points = try clips.load().points(in: FramePrefetcher(reader))
        #expect(points.count == 10)
        let size = try picture(Place.sample("single_face.mp4"))
        let first = try #require(points.last ?? nil)
        #expect(first.count == 68 * 3)
        #expect(first.prefix(3) == [Float(size.width) / 2, Float(size.height) / 2, 0.75])
        #expect(first[3] == Float(size.width) / 2 + 8)

        let measuring = try choice.forMeasuring(setting: "x", threads: 1)
        #expect(measuring.configuration == ["size": "8.0", "version": "3"])
        #expect(
            measuring.files == [
                "landmarks": EmbeddedNetwork.faceMesh.path, "middle_weights": weights,
            ])
        #expect(try measuring.load().replacing is MiddleNetwork)
    }
}

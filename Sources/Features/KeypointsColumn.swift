import Dataset
import Foundation
import Media
import Perception
import Settings
import Storage

/// Settings of the column `keypoints`.
public struct KeypointsSettings: DescribedSettings {
    /// The key-point network: `landmarks`, and the sections of the networks.
    public var network = KeypointChoice()
    public var detector = "embedded"

    public init() {}

    public static var settings: [Setting<KeypointsSettings>] {
        [
            .inlined(\.network),
            .text(
                "detector", \.detector, "a file, or embedded",
                "The face detector that FaceMesh needs: BlazeFace, short range, for a crop shows a near "
                    + "face."),
        ]
    }
}

/// The choice of the network stands beside the other settings, in the same section.
extension KeypointsSettings {
    private enum CodingKeys: CodingKey { case detector }

    public init(from decoder: any Decoder) throws {
        network = try KeypointChoice(from: decoder)
        detector = try decoder.container(keyedBy: CodingKeys.self)
            .decode(String.self, forKey: .detector)
    }

    public func encode(to encoder: any Encoder) throws {
        try network.encode(to: encoder)
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(detector, forKey: .detector)
    }
}

/// The column `keypoints`: the 68 iBUG points of every frame of a clip, measured on the clip itself:
/// float32 `[T, 68, 3]`.
///
/// A frame in which the face is not seen gets points interpolated between its neighbours, with
/// confidence 0.
public struct KeypointsColumn: FeatureColumn {
    public static let name = "keypoints"
    public static let inputs = ["video"]
    public static let revealsInputs = false

    public let settings: KeypointsSettings
    public let identity: ColumnIdentity
    private let finder: Lazily<any KeypointFinder>
    private let threads: Int

    public init(_ settings: KeypointsSettings, _ context: ColumnContext) throws {
        self.settings = settings
        threads = context.threads
        let keypoints = try settings.network.forClips(
            detector: settings.detector, setting: "extract.keypoints.landmarks", threads: threads)
        finder = Lazily { try keypoints.load() }
        identity = ColumnIdentity(
            version: keypoints.version, configuration: keypoints.configuration,
            networks: try keypoints.files.mapValues(Digest.ofFile), facts: context.facts("video"))
    }

    public func member(of clip: ClipInputs) throws -> ColumnMember {
        let video = clip["video"]
        let reader = try VideoReader(path: video.path, bytes: video.bytes, threads: threads)
        let pictures = FramePrefetcher(reader)
        defer { pictures.cancel() }
        let frames = try finder.get().points(in: pictures)
        let points = NumPyArray(
            shape: [frames.count, IBUG68.count, 3], values: try Keypoints.filled(frames))
        return ColumnMember(bytes: points.encoded(), frames: frames.count)
    }
}

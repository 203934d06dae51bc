import Dataset
import Foundation
import Media
import Perception
import Storage

/// Settings of the column `keypoints`.
public struct KeypointsSettings: Sendable {
    /// The key-point network: `landmarks`, and the sections of the networks.
    public var network = KeypointChoice()
    /// The file of the face detector that FaceMesh needs, or "embedded" for BlazeFace, short range: a
    /// crop shows a near face.
    public var detector = "embedded"

    public init() {}
}

/// The choice of the network stands beside the other settings, in the same section.
extension KeypointsSettings: Codable {
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

/// The column `keypoints`: the 68 iBUG points of every frame of a clip, measured on the clip itself.
///
/// A frame in which the face is not seen gets points interpolated between its neighbours, with
/// confidence 0.
package final class KeypointsExtractor {
    private let finder: any KeypointFinder

    init(_ finder: any KeypointFinder) { self.finder = finder }

    /// - Parameter facts: the facts of the column `video`, which hold of its key points too.
    static func recipe(
        _ settings: KeypointsSettings, facts: [String: Int], threads: Int
    ) throws -> ColumnRecipe {
        let keypoints = try settings.network.forClips(
            detector: settings.detector, setting: "extract.keypoints.landmarks", threads: threads)
        let extractor = Lazily { KeypointsExtractor(try keypoints.load()) }
        return ColumnRecipe(
            input: "video", version: keypoints.version, configuration: keypoints.configuration,
            networks: try keypoints.files.mapValues(Digest.ofFile), facts: facts,
            settings: keypoints.configuration
        ) { slice in
            let array = try extractor.get().extract(
                VideoReader(path: slice.path, bytes: slice.bytes, threads: threads))
            return ColumnMember(bytes: array.encoded(), frames: array.shape[0])
        }
    }

    /// - Returns: float32 `[T, 68, 3]`: x and y in pixels of the crop, confidence.
    /// - Throws: `LoopyError` where the clip cannot be decoded or shows no face at all.
    func extract(_ reader: sending VideoReader) throws -> NumPyArray {
        let pictures = FramePrefetcher(reader)
        defer { pictures.cancel() }
        let frames = try finder.points(in: pictures)
        return NumPyArray(
            shape: [frames.count, IBUG68.count, 3], values: try Keypoints.filled(frames))
    }
}

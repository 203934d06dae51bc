import Dataset
import Foundation
import Media
import Perception

/// Settings of the column `keypoints`.
public struct KeypointsSettings: Codable, Sendable {
    /// FaceMesh's file, or "embedded".
    public var landmarks = "embedded"
    /// The face detector's file, or "embedded": BlazeFace, short range (a crop shows a near face).
    public var detector = "embedded"

    public init() {}
}

/// The column `keypoints`: the 68 iBUG points of every frame of a clip, measured on the clip itself.
///
/// A frame in which the face is not seen gets points interpolated between its neighbours, with
/// confidence 0.
package final class KeypointsExtractor {
    private let detector: BlazeFace
    private let network: FaceMesh
    private static let version = 1
    private static let minimumPresence = 0.5

    /// - Parameter facts: of the column `video`, which hold of its key points too.
    static func recipe(
        _ settings: KeypointsSettings, facts: [String: Int], threads: Int
    ) throws -> ColumnRecipe {
        let extractor = Lazily { try KeypointsExtractor(settings) }
        return ColumnRecipe(
            input: "video", version: version, configuration: [String: String](),
            networks: try networks(settings).mapValues(Digest.ofFile), facts: facts
        ) { slice in
            let array = try extractor.get().extract(
                VideoReader(path: slice.path, bytes: slice.bytes, threads: threads))
            return ColumnMember(bytes: array.encoded(), frames: array.shape[0])
        }
    }

    private static func networks(_ settings: KeypointsSettings) -> [String: String] {
        [
            "detector": EmbeddedNetwork.blazeFaceShortRange.path(or: settings.detector),
            "landmarks": EmbeddedNetwork.faceMesh.path(or: settings.landmarks),
        ]
    }

    init(_ settings: KeypointsSettings) throws {
        let files = Self.networks(settings)
        detector = try BlazeFace(.short, path: files["detector"])
        network = try FaceMesh(path: files["landmarks"])
    }

    /// - Returns: float32 `[T, 68, 3]`: x and y in pixels of the crop, confidence.
    /// - Throws: when the clip cannot be decoded or shows no face at all.
    func extract(_ reader: sending VideoReader) throws -> NumPyArray {
        let pictures = FramePrefetcher(reader)
        defer { pictures.cancel() }
        var frames: [[Float]?] = []
        var region: FaceRegion?
        while let picture = try pictures.next() {
            let found = try landmarks(in: picture.frame, near: region)
            region = found?.region
            frames.append(
                found.map { found in
                    zip(found.points, found.confidences).flatMap {
                        [Float($0.x), Float($0.y), $1]
                    }
                })
        }
        let values = try Keypoints.filled(frames)
        return NumPyArray(shape: [frames.count, IBUG68.count, 3], values: values)
    }

    /// Where the last frame's face was, else wherever the detector finds the largest.
    private func landmarks(in frame: VideoFrame, near: FaceRegion?) throws -> FaceLandmarks? {
        if let near {
            let followed = try network.landmarks(in: frame, region: near)
            if followed.presence >= Self.minimumPresence { return followed }
        }
        let faces = try detector.detect(in: frame)
        guard let largest = faces.max(by: { $0.box.area < $1.box.area }) else { return nil }
        let rough = try network.landmarks(in: frame, region: network.region(for: largest))
        let fine = try network.landmarks(in: frame, region: rough.region)
        return fine.presence >= Self.minimumPresence ? fine : nil
    }
}

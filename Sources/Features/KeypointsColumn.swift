import Dataset
import Foundation
import Media
import Perception
import Storage

/// Settings of the column `keypoints`.
public struct KeypointsSettings: Codable, Sendable {
    /// "embedded" for the FaceMesh that comes with Loopy, the file of another, or "dwpose".
    public var landmarks = "embedded"
    /// Of FaceMesh: the face detector's file, or "embedded": BlazeFace, short range (a crop shows a
    /// near face).
    public var detector = "embedded"
    /// Of `landmarks: dwpose`.
    public var dwpose = DWPoseSettings()

    public init() {}
}

/// Finds the face that a clip is about, picture by picture.
protocol FacePointFinder {
    /// - Returns: for each picture `[68, 3]`: x and y in pixels of the crop, confidence; nil where the
    ///   face is not seen.
    func points(in pictures: FramePrefetcher) throws -> [[Float]?]
}

/// The column `keypoints`: the 68 iBUG points of every frame of a clip, measured on the clip itself.
///
/// A frame in which the face is not seen gets points interpolated between its neighbours, with
/// confidence 0.
package final class KeypointsExtractor {
    private let finder: any FacePointFinder
    /// Of the column that FaceMesh makes, and of the one that DWPose makes.
    private static let version = 1, dwposeVersion = 1

    init(_ finder: any FacePointFinder) { self.finder = finder }

    /// - Parameter facts: of the column `video`, which hold of its key points too.
    static func recipe(
        _ settings: KeypointsSettings, facts: [String: Int], threads: Int
    ) throws -> ColumnRecipe {
        let isDWPose = settings.landmarks == DWPoseSettings.name
        let networks: [String: String]
        let extractor: Lazily<KeypointsExtractor>
        if isDWPose {
            let files = try settings.dwpose.files(for: "extract.keypoints.landmarks")
            networks = ["detector": files.detector, "pose": files.pose]
            extractor = Lazily {
                KeypointsExtractor(
                    DWPoseFinder(try settings.dwpose.load(files, threads: threads)))
            }
        } else {
            let detector = EmbeddedNetwork.blazeFaceShortRange.path(or: settings.detector)
            let landmarks = EmbeddedNetwork.faceMesh.path(or: settings.landmarks)
            networks = ["detector": detector, "landmarks": landmarks]
            extractor = Lazily {
                KeypointsExtractor(try FaceMeshFinder(detector: detector, landmarks: landmarks))
            }
        }
        return ColumnRecipe(
            input: "video", version: isDWPose ? dwposeVersion : version,
            configuration: isDWPose ? ["landmarks": DWPoseSettings.name] : [:],
            networks: try networks.mapValues(Digest.ofFile), facts: facts,
            settings: isDWPose ? ["landmarks": DWPoseSettings.name] : [:]
        ) { slice in
            let array = try extractor.get().extract(
                VideoReader(path: slice.path, bytes: slice.bytes, threads: threads))
            return ColumnMember(bytes: array.encoded(), frames: array.shape[0])
        }
    }

    /// - Returns: float32 `[T, 68, 3]`: x and y in pixels of the crop, confidence.
    /// - Throws: when the clip cannot be decoded or shows no face at all.
    func extract(_ reader: sending VideoReader) throws -> NumPyArray {
        let pictures = FramePrefetcher(reader)
        defer { pictures.cancel() }
        let frames = try finder.points(in: pictures)
        return NumPyArray(
            shape: [frames.count, IBUG68.count, 3], values: try Keypoints.filled(frames))
    }
}

import Dataset
import Foundation
import Media
import Perception
import Storage

/// Settings of the column `keypoints`.
public struct KeypointsSettings: ColumnSettings {
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

/// The column `keypoints`: the 68 iBUG points of every frame of a clip, measured on the clip itself:
/// float32 `[T, 68, 3]`.
///
/// A frame in which the face is not seen gets points interpolated between its neighbours, with
/// confidence 0.
public struct KeypointsColumn: FeatureColumn {
    public static let name = "keypoints"
    public static let inputs = ["video"]

    public let settings: KeypointsSettings
    public let identity: ColumnIdentity
    private let finder: Lazily<any FacePointFinder>
    private let threads: Int
    /// The versions of the column that FaceMesh makes, and of the one that DWPose makes.
    private static let version = 1, dwposeVersion = 1

    public init(_ settings: KeypointsSettings, _ context: ColumnContext) throws {
        self.settings = settings
        threads = context.threads
        let isDWPose = settings.landmarks == DWPoseSettings.name
        let networks: [String: String]
        if isDWPose {
            let files = try settings.dwpose.files(for: "extract.keypoints.landmarks")
            networks = ["detector": files.detector, "pose": files.pose]
            finder = Lazily { [threads] in
                DWPoseFinder(try settings.dwpose.load(files, threads: threads))
            }
        } else {
            let detector = EmbeddedNetwork.blazeFaceShortRange.path(or: settings.detector)
            let landmarks = EmbeddedNetwork.faceMesh.path(or: settings.landmarks)
            networks = ["detector": detector, "landmarks": landmarks]
            finder = Lazily { try FaceMeshFinder(detector: detector, landmarks: landmarks) }
        }
        identity = ColumnIdentity(
            version: isDWPose ? Self.dwposeVersion : Self.version,
            configuration: isDWPose ? ["landmarks": DWPoseSettings.name] : [:],
            networks: try networks.mapValues(Digest.ofFile), facts: context.facts("video"))
    }

    public func member(of clip: ClipInputs) throws -> ColumnMember {
        let video = clip["video"]
        let points = try Self.points(
            in: VideoReader(path: video.path, bytes: video.bytes, threads: threads), finder.get())
        return ColumnMember(bytes: points.encoded(), frames: points.shape[0])
    }

    /// - Returns: float32 `[T, 68, 3]`: x and y in pixels of the crop, confidence.
    /// - Throws: `LoopyError` when the clip cannot be decoded or shows no face at all.
    static func points(
        in reader: sending VideoReader, _ finder: any FacePointFinder
    ) throws -> NumPyArray {
        let pictures = FramePrefetcher(reader)
        defer { pictures.cancel() }
        let frames = try finder.points(in: pictures)
        return NumPyArray(
            shape: [frames.count, IBUG68.count, 3], values: try Keypoints.filled(frames))
    }
}

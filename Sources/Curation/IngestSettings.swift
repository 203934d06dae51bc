import Errors
import Media

/// Settings of `loopy-ingest`.
public struct IngestSettings: Codable, Sendable {
    /// What says which videos are wanted, and what of them.
    public enum Format: String, Codable, Sendable, CaseIterable {
        /// Nothing does: all videos, whole.
        case folder
        case hdtf
        case celebvHQ = "celebv-hq"
        case ravdess
    }

    public var format = Format.folder
    /// HDTF: the folder of its text files. CelebV-HQ: `celebvhq_info.json`. RAVDESS has none.
    public var annotations = ""
    /// Files in folders are sources when their names end so; files named one by one always are.
    public var extensions = [
        "mp4", "m4v", "mov", "mkv", "webm", "avi", "ts", "mts", "m2ts", "mpg", "mpeg", "vob", "flv",
        "wmv", "asf", "3gp", "3g2", "ogv", "mxf", "mj2",
    ]
    public var limits = MediaLimits()

    public init() {}

    /// The annotations, where the format has any.
    ///
    /// - Parameters:
    ///   - videos: paths of the videos on disk, in order.
    ///   - others: paths of the other files beside them.
    /// - Throws: `LoopyError` when they are not named, or cannot be read.
    func readAnnotations(videos: [String], others: [String]) throws -> Annotations? {
        let needsFile = format == .hdtf || format == .celebvHQ
        guard annotations.isEmpty != needsFile else {
            throw LoopyError(
                .configuration,
                needsFile
                    ? "format \(format.rawValue): name its annotations, and the videos with --videos"
                    : "format \(format.rawValue): takes no annotations, but '\(annotations)' is named"
            )
        }
        switch format {
        case .folder: return nil
        case .hdtf: return try HDTF.read(annotations)
        case .celebvHQ: return try CelebVHQ.read(annotations)
        case .ravdess: return RAVDESS.annotations(videos: videos, others: others)
        }
    }
}

import Errors
import Media
import Settings

/// Settings of `loopy-ingest`.
public struct IngestSettings: DescribedSettings {
    /// What says which videos are wanted, and what of them.
    public enum Format: String, Codable, Sendable, CaseIterable {
        /// Nothing does: all videos, whole.
        case folder
        case hdtf
        case celebvHQ = "celebv-hq"
        case ravdess
        /// A published dataset of Loopy's own.
        case loopy
    }

    public var format = Format.folder
    public var annotations = ""
    public var extensions = [
        "mp4", "m4v", "mov", "mkv", "webm", "avi", "ts", "mts", "m2ts", "mpg", "mpeg", "vob", "flv",
        "wmv", "asf", "3gp", "3g2", "ogv", "mxf", "mj2",
    ]
    public var limits = MediaLimits()

    public init() {}

    public static var settings: [Setting<IngestSettings>] {
        [
            .choice(
                "format", \.format,
                "What says which videos are wanted and what of them: folder takes all videos, whole; "
                    + "loopy is a dataset that loopy publish wrote, whose clips are cut again; the others "
                    + "are public datasets, which come with annotations."),
            .text(
                "annotations", \.annotations, "a file or folder", mayBeEmpty: true,
                "The annotations: for hdtf the folder of its text files, for celebv-hq the file "
                    + "celebvhq_info.json, for loopy the folder that loopy publish wrote; folder and ravdess "
                    + "have none."),
            .list(
                "extensions", \.extensions,
                "Files in folders are sources when their names end so; files that are named one by "
                    + "one always are."),
            .group("limits", \.limits),
        ]
    }

    /// The annotations, where the format has any.
    ///
    /// - Parameters:
    ///   - videos: paths of the videos on disk, in order.
    ///   - others: paths of the other files beside them.
    /// - Throws: `LoopyError` when they are not named, or cannot be read.
    func readAnnotations(videos: [String], others: [String]) throws -> Annotations? {
        let needsFile = [.hdtf, .celebvHQ, .loopy].contains(format)
        guard annotations.isEmpty != needsFile else {
            throw LoopyError(
                .configuration,
                needsFile
                    ? "format \(format.rawValue): name its annotations, and the videos with --videos"
                    : "format \(format.rawValue): takes no annotations, but '\(annotations)' is named"
            )
        }
        switch format {
        // Its sources are known by their bytes, not by their names: `Ingest.runPublished`.
        case .folder, .loopy: return nil
        case .hdtf: return try HDTF.read(annotations)
        case .celebvHQ: return try CelebVHQ.read(annotations)
        case .ravdess: return RAVDESS.annotations(videos: videos, others: others)
        }
    }
}

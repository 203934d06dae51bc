import Dataset
import Media
import Storage

/// Settings of `loopy-select`.
public struct SelectSettings: Codable, Sendable {
    public var rules = Rules()
    public var clips = ClipSettings()
    public var split = SplitSettings()

    public init() {}
}

/// How accepted candidates become clips.
public struct ClipSettings: Codable, Sendable {
    /// Longer candidates are cut into pieces of equal length, each at most so long (seconds).
    public var maximumSeconds = 30.0
    /// Height of the face over the side of the crop. The crop is larger where the head moves
    /// further, and smaller where the picture is.
    public var faceShare = 0.6
    /// Room around the head, over its size.
    public var margin = 0.05
    /// What becomes of a clip whose head does not fit into a square inside the picture.
    public var outside = Outside.reject
    /// Clips in a shard.
    public var perShard = 100

    public enum Outside: String, Codable, Sendable {
        case reject
        /// The crop reaches outside, and is black there.
        case pad
    }

    public init() {}
}

/// Shares of the sources (of the identities, where they are known) that are held out. Which ones is
/// decided by hash: adding sources moves none.
public struct SplitSettings: Codable, Sendable {
    public var val = 0.02
    public var test = 0.02

    public init() {}

    package func split(of source: Source) -> Decision.Split {
        let digest = Digest.of("split " + (source.identity ?? source.digest))
        let number = Double(UInt32(digest.prefix(8), radix: 16) ?? 0) / Double(UInt32.max)
        if number < test { return .test }
        return number < test + val ? .val : .train
    }
}

import Dataset
import Media
import Settings
import Storage

/// Settings of `loopy-select`.
public struct SelectSettings: DescribedSettings {
    public var rules = Rules()
    public var clips = ClipSettings()
    public var split = SplitSettings()

    public init() {}

    public static var settings: [Setting<SelectSettings>] {
        [
            .group("rules", \.rules), .group("clips", \.clips), .group("split", \.split),
        ]
    }
}

/// How accepted candidates become clips.
public struct ClipSettings: DescribedSettings {
    public var maximumSeconds = 30.0
    public var faceShare = 0.6
    public var margin = 0.05
    public var outside = Outside.reject
    public var perShard = 100

    public enum Outside: String, Codable, Sendable, CaseIterable {
        case reject
        /// The crop reaches outside, and is black there.
        case pad
    }

    public init() {}

    public static var settings: [Setting<ClipSettings>] {
        [
            .number(
                "maximum_seconds", \.maximumSeconds, in: 0.04...1e6, unit: "s",
                "Longer candidates are cut into pieces of equal length, each at most so long."),
            .number(
                "face_share", \.faceShare, in: 0.01...1,
                "The height of the face over the side of the crop. The crop is larger where the head "
                    + "moves further, and smaller where the picture is."),
            .number(
                "margin", \.margin, in: 0...10, "The room around the head, over the head's size."),
            .choice(
                "outside", \.outside,
                "What becomes of a clip whose head does not fit into a square inside the picture: it "
                    + "is rejected, or the crop reaches outside and is black there."),
            .number(
                "per_shard", \.perShard, in: 1...1_000_000, unit: "clips", "The clips of a shard."),
        ]
    }
}

/// Shares of the sources (of the identities, where they are known) that are held out. Which ones is
/// decided by hash: adding sources moves none.
public struct SplitSettings: DescribedSettings {
    public var val = 0.02
    public var test = 0.02

    public init() {}

    public static var settings: [Setting<SplitSettings>] {
        [
            .number(
                "val", \.val, in: 0...1,
                "The share of the sources, or of the identities where they are known, that is held "
                    + "out for validation."),
            .number("test", \.test, in: 0...1, "The share that is held out for tests."),
        ]
    }

    public var conflict: String? {
        val + test > 1 + 1e-9 ? "val: \(val) and test: \(test) are more than 1 together" : nil
    }

    package func split(of source: Source) -> Decision.Split {
        let digest = Digest.of("split " + (source.identity ?? source.digest))
        let number = Double(UInt32(digest.prefix(8), radix: 16) ?? 0) / Double(UInt32.max)
        if number < test { return .test }
        return number < test + val ? .val : .train
    }
}

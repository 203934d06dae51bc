import Dataset
import Media
import Settings
import Storage

/// Settings of `loopy-select`.
public struct SelectSettings: DescribedSettings {
    public var rules = Rules()
    public var clips = ClipSettings()
    public var split = SplitSettings()
    public var duplicates = Copies.reject
    public var samePerson = 0.95

    /// What becomes of a clip that shows the same footage as another.
    public enum Copies: String, Codable, Sendable, CaseIterable {
        case reject, keep
    }

    public init() {}

    /// The defaults, with rules on the metrics of networks that the user named.
    public init(networks: [Metric]) { rules = Rules(networks: networks) }

    public static var settings: [Setting<SelectSettings>] {
        [
            .group("rules", \.rules), .group("clips", \.clips), .group("split", \.split),
            .choice(
                "duplicates", \.duplicates,
                "What becomes of clips of footage that another clip shows better (encoded anew, resized, "
                    + "cropped, mirrored, with subtitles): they are rejected, or nobody looks for them."
            ),
            .number(
                "same_person", \.samePerson, in: -1...1,
                "The cosine between two faces' embeddings from which they are one person's, where "
                    + "`measure.identity` names a network. The default was chosen for dlib-face; "
                    + "ArcFace and networks like it want a lower one."),
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
/// decided by hash: adding sources moves none. For a model of one speaker it is the end of each source.
public struct SplitSettings: DescribedSettings {
    public enum Unit: String, Codable, Sendable, CaseIterable {
        /// Whole sources are held out, or identities.
        case source
        /// The last clips of each source are; a source that makes one clip is one as a whole.
        case time
    }

    public var by = Unit.source
    public var val = 0.02
    public var test = 0.02

    public init() {}

    public static var settings: [Setting<SplitSettings>] {
        [
            .choice(
                "by", \.by,
                "What is held out: sources, or identities where they are known; or time, the last "
                    + "clips of each source, for models of one speaker."),
            .number(
                "val", \.val, in: 0...1,
                "The share of the sources, of the identities where they are known, or of each "
                    + "source's clips, that is held out for validation."),
            .number("test", \.test, in: 0...1, "The share that is held out for tests."),
        ]
    }

    public var conflict: String? {
        val + test > 1 + 1e-9 ? "val: \(val) and test: \(test) are more than 1 together" : nil
    }

    /// - Parameter group: the name of sources that are not to be parted (`SplitGroups`).
    package func split(of group: String) -> Decision.Split {
        let digest = Digest.of("split " + group)
        let number = Double(UInt32(digest.prefix(8), radix: 16) ?? 0) / Double(UInt32.max)
        if number < test { return .test }
        return number < test + val ? .val : .train
    }

    /// Gives the clips of one source their splits, where time decides: the last clips are the test's, and
    /// those before them validation's; as many as come nearest to the shares of the time, of a share
    /// that is asked for at least one, and one clip at least is trained on.
    package func divided(_ decisions: [Decision]) -> [Decision] {
        let accepted = decisions.indices.filter { decisions[$0].decision == .accept }
            .sorted { decisions[$0].start < decisions[$1].start }
        guard by == .time, accepted.count > 1 else { return decisions }
        let total = accepted.reduce(0) { $0 + decisions[$1].frames.count }
        var divided = decisions
        for index in accepted { divided[index].split = .train }
        var left = accepted
        for (share, split) in [(test, Decision.Split.test), (val, .val)] where share > 0 {
            let wanted = Double(total) * share
            var taken = 0.0
            while left.count > 1 {
                let length = Double(divided[left[left.count - 1]].frames.count)
                guard taken == 0 || taken + length / 2 <= wanted else { break }
                divided[left.removeLast()].split = split
                taken += length
            }
        }
        return divided
    }
}

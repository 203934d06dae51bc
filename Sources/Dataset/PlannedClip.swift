import Media

/// An accepted clip of a selection, without what was measured of it: there may be millions, and every worker
/// plans with all of them.
public struct PlannedClip: Sendable {
    public let key: String
    let shard: String
    public let split: Decision.Split?
    /// The digest of the source, and its path.
    public let source: String
    public let path: String
    /// Seconds from the source's first picture.
    public let start: Double
    public let end: Double
    public let crop: CropSquare?
    public let audioDelay: Int?
    /// The number of its line in the selection, from 0.
    public internal(set) var line = 0

    /// The span on the grid.
    public var frames: Range<Int> { Decision.frames(start, end) }

    init?(_ decision: Decision) {
        guard let key = decision.key, let shard = decision.shard else { return nil }
        (self.key, self.shard, split) = (key, shard, decision.split)
        (source, path) = (decision.source, decision.path)
        (start, end) = (decision.start, decision.end)
        (crop, audioDelay) = (decision.crop, decision.audioDelay)
    }

    /// The clip of a line of a selection.
    struct Line: Decodable, Sendable {
        /// Nil where nothing was accepted.
        let clip: PlannedClip?

        init(from decoder: any Decoder) throws {
            clip = try PlannedClip(decoder.container(keyedBy: Decision.CodingKeys.self))
        }
    }

    private init?(_ values: KeyedDecodingContainer<Decision.CodingKeys>) throws {
        guard let key = try values.decodeIfPresent(String.self, forKey: .key),
            let shard = try values.decodeIfPresent(String.self, forKey: .shard)
        else { return nil }
        (self.key, self.shard) = (key, shard)
        split = try values.decodeIfPresent(Decision.Split.self, forKey: .split)
        source = try values.decode(String.self, forKey: .source)
        path = try values.decode(String.self, forKey: .path)
        start = try values.decode(Double.self, forKey: .start)
        end = try values.decode(Double.self, forKey: .end)
        crop = try values.decodeIfPresent(CropSquare.self, forKey: .crop)
        audioDelay = try values.decodeIfPresent(Int.self, forKey: .audioDelay)
    }
}

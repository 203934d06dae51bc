import Media
import Storage

/// A line of `selection.jsonl`: what was decided about a candidate, about one clip of it, or about a
/// source without candidates.
public struct Decision: Codable, Sendable, Equatable {
    public enum Verdict: String, Codable, Sendable { case accept, reject }
    public enum Split: String, Codable, Sendable, CaseIterable { case train, val, test }

    /// The digest of the source.
    public var source: String
    /// The path of the source, as `RecordedPath` writes it.
    public var path: String
    /// Seconds from the source's first picture; multiples of 1/25.
    public var start: Double
    public var end: Double
    /// The candidate's face number; nil for a source without candidates.
    public var face: Int?
    /// The name of the annotated span, where the source has such.
    public var annotation: String?
    public var decision: Verdict
    /// The rule that rejected, the value it saw and the limit it has.
    public var rule: String?
    public var value: Double?
    public var limit: Double?
    /// The key of the clip that is kept instead, of a clip that the rule `duplicate` rejected.
    public var duplicateOf: String?
    /// Rules that could not be applied, because what they look at was not measured.
    public var notApplied: [String]?
    /// How likely each offset of the sound is (`Candidate.syncCurve`), where that was measured.
    public var syncCurve: [Double]?
    /// For sources that could not be read: why.
    public var error: String?

    // For accepted clips:

    /// The clip's key: 16 hex digits of the SHA-256 over source digest, span, crop, and the delay of the
    /// sound where there is one.
    public var key: String?
    public var crop: CropSquare?
    /// The room that the crop leaves around the head on each side, over the head's size; below 0 where
    /// the picture was too narrow for the head, and the crop cuts off that much.
    public var cropMargin: Double?
    /// The frames by which the sound is delayed to fit the lips; nil when that was not measured.
    public var audioDelay: Int?
    /// The name of the work unit of every column, and of the packed shard.
    public var shard: String?
    public var split: Split?
    /// Who is seen and what else is said of the clip, where annotations do.
    public var identity: String?
    public var attributes: [String: String]?
    /// What was measured of the candidate.
    public var metrics: Metrics?

    public init(source: String, path: String, start: Int, end: Int, decision: Verdict) {
        self.source = source
        self.path = path
        self.start = Double(start) / Double(Grid.framesPerSecond)
        self.end = Double(end) / Double(Grid.framesPerSecond)
        self.decision = decision
    }

    /// The span on the grid.
    public var frames: Range<Int> { Self.frames(start, end) }

    static func frames(_ start: Double, _ end: Double) -> Range<Int> {
        let rate = Double(Grid.framesPerSecond)
        return Int((start * rate).rounded())..<Int((end * rate).rounded())
    }

    /// Where a clip is: source, span and crop.
    public static func place(source: String, frames: Range<Int>, crop: CropSquare) -> String {
        "\(source) \(frames.lowerBound) \(frames.upperBound) \(crop.x) \(crop.y) \(crop.side)"
    }

    /// What a clip is known by.
    ///
    /// - Parameter audioDelay: the frames by which the sound is delayed; nil where nobody knows: none.
    public static func key(
        source: String, frames: Range<Int>, crop: CropSquare, audioDelay: Int?
    ) -> String {
        let delay = audioDelay.flatMap { $0 == 0 ? nil : " \($0)" } ?? ""
        let place = place(source: source, frames: frames, crop: crop)
        return String(Digest.of(place + delay).prefix(16))
    }

    enum CodingKeys: String, CodingKey {
        case source, path, start, end, face, annotation, decision, rule, value, limit, error
        case key, crop, shard, split, identity, attributes, metrics
        case cropMargin = "crop_margin"
        case duplicateOf = "duplicate_of"
        case notApplied = "not_applied"
        case audioDelay = "audio_delay"
        case syncCurve = "sync_curve"
    }
}

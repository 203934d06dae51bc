import Dataset
import Media

/// Where the video of a dataset's sources went: a bar for everything that was looked at, and bars for what
/// became of it, whose seconds and spans add up to it.
///
/// A span is of one face: where two faces are seen at a time, it counts twice.
struct Funnel: Encodable {
    struct Bar: Encodable, Equatable {
        enum Kind: String, Encodable { case all, rejected, missing, clips }

        var kind: Kind
        /// The rule that rejected.
        var rule: String?
        var seconds: Double
        var spans: Int
    }

    /// Everything first, clips last, and between them what was lost, the most first.
    let bars: [Bar]

    /// - Parameters:
    ///   - decisions: the lines of `selection.jsonl`.
    ///   - counts: how much of the accepted spans has become clips of shards so far.
    init(_ decisions: [Decision], _ counts: Catalogue.Counts) {
        func bar(_ kind: Bar.Kind, rule: String? = nil, frames: Int, spans: Int) -> Bar {
            Bar(
                kind: kind, rule: rule,
                seconds: Double(frames) / Double(Grid.framesPerSecond), spans: spans)
        }
        func frames(_ decisions: [Decision]) -> Int {
            decisions.reduce(0) { $0 + $1.frames.count }
        }
        let accepted = decisions.filter { $0.decision == .accept }
        let rejected = Dictionary(
            grouping: decisions.filter { $0.decision == .reject }, by: { $0.rule ?? "" })
        // Clips of a former selection say nothing of this one.
        let isCut = counts.clips <= accepted.count && counts.frames <= frames(accepted)
        let clips = isCut ? (frames: counts.frames, spans: counts.clips) : (frames: 0, spans: 0)
        let missing = (
            frames: frames(accepted) - clips.frames, spans: accepted.count - clips.spans
        )
        bars =
            [bar(.all, frames: frames(decisions), spans: decisions.count)]
            + rejected.map {
                bar(.rejected, rule: $0.key, frames: frames($0.value), spans: $0.value.count)
            }.sorted { ($1.seconds, $0.rule ?? "") < ($0.seconds, $1.rule ?? "") }
            + (missing.spans > 0
                ? [bar(.missing, frames: missing.frames, spans: missing.spans)] : [])
            + [bar(.clips, frames: clips.frames, spans: clips.spans)]
    }
}

import Dataset
import Errors
import Media
import Storage

/// A clip that a candidate becomes where the rules accept it; or a source, or a stretch of one, that no rule
/// can make a clip of.
///
/// `Selector` asks three things in this order: whether something stands in the way whatever the rules say
/// (`obstacle`), whether the values of the metrics keep the limits, and whether a crop shows enough of the
/// head. Here are the answer to the first, and the values for the other two: whoever applies other limits to
/// them gets what `loopy-select` would decide.
public struct SelectableClip: Sendable {
    /// What no limit of a metric changes.
    public enum Obstacle: Sendable, Equatable {
        /// The word that `selection.jsonl` has for it: "no-face", "undecodable", "other-face".
        case always(String)
        /// The source has no sound track: "no-audio" as long as there is a rule for sound.
        case noSound
    }

    /// The index of its source in `sources.jsonl`.
    public let source: Int
    /// On the 25 fps grid, from the source's first picture.
    public let frames: Range<Int>
    /// The number of its candidate in the dataset; nil where there is none.
    let candidate: Int?
    /// The number of the face that the candidate begins with.
    public let face: Int?
    /// The index of the annotated span among the source's; nil where it has none.
    public let span: Int?
    /// Whether it is the first piece of its candidate: a rejected candidate is one decision.
    public let isFirst: Bool
    public let obstacle: Obstacle?
    /// The square to be cut out; nil where there is no candidate.
    public let crop: CropSquare?
    /// The share of the head that it shows of what the source shows, which `Rules.leastHeadShare` limits.
    public let headShare: Double
    /// The key of the clip; nil where there is no crop.
    public let key: String?
    public var metrics: Metrics
}

extension Selector {
    /// Gives every clip that any limits could make of a dataset, in the order of `selection.jsonl`.
    ///
    /// - Parameter body: called with each clip.
    /// - Throws: `LoopyError` when measurements are missing or not finished.
    public func selectableClips(_ body: (SelectableClip) throws -> Void) throws {
        let sources = try dataset.sources()
        let measurements = try Measurements(dataset, sources: sources)
        try walk(
            sources, measurements,
            onNothing: { try body(SelectableClip(nothing: $1, source: $0)) },
            onCandidate: { located in
                let source = located.source.value
                let pieces = try pieces(of: located.candidate, source, measurements)
                for (position, piece) in pieces.enumerated() {
                    try body(SelectableClip(piece, of: located, isFirst: position == 0))
                }
            })
    }
}

extension SelectableClip {
    /// A decision about which nothing was measured.
    fileprivate init(nothing decision: Decision, source: Int) {
        self.init(
            source: source, frames: decision.frames, candidate: nil, face: nil, span: nil,
            isFirst: true,
            obstacle: .always(decision.rule ?? "unusable"), crop: nil, headShare: 1, key: nil,
            metrics: Metrics())
    }

    fileprivate init(_ piece: Selector.Piece, of located: Selector.Located, isFirst: Bool) {
        let (index, source) = located.source
        let isAnother =
            Selector.shareOfAnotherFace(located.candidate, located.span?.value) != nil
        self.init(
            source: index, frames: piece.frames, candidate: located.number,
            face: located.candidate.first.face,
            span: located.span?.index, isFirst: isFirst,
            obstacle: isAnother
                ? .always("other-face") : source.probe?.audio == nil ? .noSound : nil,
            crop: piece.plan.square, headShare: piece.plan.headShare, key: piece.key(source),
            metrics: located.candidate.metrics)
    }
}

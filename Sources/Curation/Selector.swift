import Dataset
import Foundation
import Media
import Perception
import Storage

/// `loopy-select`: measurements and rules to `selection.jsonl`. Decodes nothing.
public final class Selector {
    public struct Report: Sendable {
        public var counts = Catalogue.Counts()
        public var rulesNotApplied: [String] = []
        /// The clips that candidates became: more than one of a candidate that was cut.
        public var clips = 0
    }

    let dataset: DatasetDirectory
    let settings: SelectSettings
    /// A face is the one that an annotation means when its centre is in the annotated box as often.
    private static let meantShare = 0.5

    public init(_ dataset: DatasetDirectory, settings: SelectSettings) {
        self.dataset = dataset
        self.settings = settings
    }

    /// Decides about every source and candidate, in the order of `sources.jsonl`.
    ///
    /// - Throws: `LoopyError` when measurements are missing or not finished.
    public func run() throws -> Report {
        let sources = try dataset.sources()
        let measurements = try Measurements(dataset, sources: sources)
        var state = Progress(unmeasured: UnmeasuredRules(settings.rules))
        state.report.counts.sources = sources.count
        var drafts = sources.map { _ in [Decision]() }
        try walk(
            sources, measurements, onNothing: { drafts[$0].append($1) },
            onCandidate: { located in
                drafts[located.source.index] += try decide(located, measurements, &state)
            })
        let duplicates = try Duplicates(of: state.clips, in: state.library)
        let people = People(state.faces, likeness: settings.samePerson)
        let links = duplicates.pairs.map { (state.sources[$0], state.sources[$1]) } + people.links
        var report = try write(
            drafts, duplicates, people, SplitGroups(sources, links: links), state)
        report.rulesNotApplied = state.unmeasured.names
        let settings = try JSONValue(settings: settings)
        try Catalogue.update(dataset) { catalogue in
            let former = catalogue.counts
            catalogue.counts = report.counts
            catalogue.counts.clips = former.clips
            catalogue.counts.frames = former.frames
            catalogue.counts.hours = former.hours
            catalogue.rulesNotApplied = report.rulesNotApplied
            catalogue.selection = settings
        }
        return report
    }

    /// Writes the selection, when it is known how clips are related.
    private func write(
        _ drafts: [[Decision]], _ duplicates: Duplicates, _ people: People, _ groups: SplitGroups,
        _ state: Progress
    ) throws -> Report {
        var groups = groups
        var lines = DecisionWriter(perShard: settings.clips.perShard)
        let file = try OutputFile(dataset.selectionFile)
        var report = state.report
        var accepted = Set<Int>()
        for (source, decisions) in drafts.enumerated() {
            let split = settings.split.split(of: groups.name(of: source))
            let decided = decisions.map { decision in
                var decision = decision
                // The clip with the same crop may be a copy itself.
                if let other = decision.duplicateOf, let copy = duplicates.copies[other] {
                    decision.duplicateOf = copy.original
                }
                guard let key = decision.key, let candidate = state.candidates[key] else {
                    return decision
                }
                if let copy = duplicates.copies[key] { return decision.rejected(as: copy) }
                decision.split = split
                decision.identity = decision.identity ?? people.names[candidate]
                accepted.insert(candidate)
                report.clips += 1
                return decision
            }
            for decision in settings.split.divided(decided) {
                if let rule = decision.rule { report.counts.rejected[rule, default: 0] += 1 }
                try file.write(JSONLines.line(lines.placed(decision)))
            }
        }
        report.counts.accepted = accepted.count
        try file.commit()
        return report
    }

    /// What accumulates while one source after the other is decided about.
    private struct Progress {
        var report = Report()
        var unmeasured: UnmeasuredRules
        /// The source of each candidate of which the rules accept clips.
        var sources: [Int] = []
        /// The candidate of every clip that the rules accept, by the clip's key.
        var candidates: [String: Int] = [:]
        /// The keys of these clips, by where they are.
        var keys: [String: String] = [:]
        /// What is compared to find copies: nothing where copies are kept.
        var clips: [Duplicates.Clip] = []
        var library = FootageLibrary()
        /// The faces of candidates, where it was measured who they are.
        var faces: [People.Face] = []
    }

    /// Decides about one candidate, as if there were no copies of it.
    private func decide(
        _ located: Located, _ measurements: Measurements, _ state: inout Progress
    ) throws -> [Decision] {
        let decisions = try decide(
            located.candidate, located.source.value, located.span?.value, measurements
        ).map { decision in
            var decision = decision
            decision.annotation = located.span?.value.name
            guard let place = decision.place, let original = state.keys[place]
            else { return decision }
            // Two faces whose crops are one square make one clip.
            return decision.rejected(as: Duplicates.Copy(original: original, share: 1))
        }
        state.report.counts.candidates += 1
        state.unmeasured.add(located.candidate.metrics)
        try accept(decisions, of: located, measurements, &state)
        return decisions
    }

    /// Notes what is to be compared when all candidates are known.
    private func accept(
        _ decisions: [Decision], of located: Located, _ measurements: Measurements,
        _ state: inout Progress
    ) throws {
        let candidate = located.candidate, source = located.source.index
        let number = state.sources.count
        let first = candidate.frames.lowerBound
        var isAccepted = false
        for decision in decisions {
            guard let key = decision.key, let place = decision.place else { continue }
            isAccepted = true
            state.keys[place] = key
            state.candidates[key] = number
            guard settings.duplicates == .reject else { continue }
            let frames = decision.frames.lowerBound - first..<decision.frames.upperBound - first
            let worth = Duplicates.Worth(candidate.metrics, frames: frames.count, key: key)
            state.clips.append(
                Duplicates.Clip(key: key, candidate: number, frames: frames, worth: worth))
        }
        guard isAccepted else { return }
        state.sources.append(source)
        if measurements.knowsIdentities, let identity = try measurements.identity(of: candidate) {
            state.faces.append(
                People.Face(
                    candidate: number, source: source, name: candidate.first.name,
                    identity: identity))
        }
        if settings.duplicates == .reject {
            state.library.add(try measurements.footage(of: candidate), source: source)
        }
    }

    private func decide(
        _ candidate: StitchedCandidate, _ source: Source, _ span: AnnotatedSpan?,
        _ measurements: Measurements
    ) throws -> [Decision] {
        let frames = candidate.frames
        var rejection = Decision(
            source: source.digest, path: source.path, start: frames.lowerBound,
            end: frames.upperBound, decision: .reject)
        rejection.face = candidate.first.face
        rejection.syncCurve = candidate.syncCurve
        if let share = Self.shareOfAnotherFace(candidate, span) {
            rejection.rule = "other-face"
            rejection.value = share
            rejection.limit = Self.meantShare
            return [rejection]
        }
        let (broken, notApplied) = settings.rules.judge(candidate.metrics)
        // A file without sound is a plainer reason than silence.
        if source.probe?.audio == nil, !settings.rules[.sound].isEmpty {
            rejection.rule = "no-audio"
            rejection.value = 0
            rejection.limit = settings.rules[.sound].minimum
            return [rejection]
        }
        if let broken {
            rejection.rule = broken.metric.name
            rejection.value = broken.value
            rejection.limit = broken.limit
            return [rejection]
        }
        return try clips(
            of: candidate, source, span, measurements, rejection: rejection,
            notApplied: notApplied.map(\.name))
    }

    /// How much of a face lies where an annotation says the meant one is; nil where that is enough, or nothing
    /// is said.
    static func shareOfAnotherFace(
        _ candidate: StitchedCandidate, _ span: AnnotatedSpan?
    ) -> Double? {
        guard let box = span?.box, box.count == 4 else { return nil }
        let share = candidate.share(in: box)
        return share < meantShare ? share : nil
    }

    /// The frames by which the sound is delayed to fit the lips. Nobody sees one frame, and measuring is not
    /// surer than that: what is nearer than one and a half is left as it is.
    private static func audioDelay(_ metrics: Metrics) -> Int? {
        (metrics[.syncOffset] ?? metrics[.syncNetOffset]).map {
            abs($0) < 1.5 ? 0 : Int($0.rounded())
        }
    }

    /// The clips of an accepted candidate.
    private func clips(
        of candidate: StitchedCandidate, _ source: Source, _ annotated: AnnotatedSpan?,
        _ measurements: Measurements, rejection: Decision, notApplied: [String]
    ) throws -> [Decision] {
        try pieces(of: candidate, source, measurements).map { piece in
            var decision = Decision(
                source: source.digest, path: source.path, start: piece.frames.lowerBound,
                end: piece.frames.upperBound, decision: .accept)
            decision.face = rejection.face
            decision.syncCurve = candidate.syncCurve
            guard piece.plan.headShare >= settings.rules.leastHeadShare else {
                decision.decision = .reject
                decision.rule = "crop"
                decision.value = (piece.plan.headShare * 1e6).rounded() / 1e6
                decision.limit = settings.rules.leastHeadShare
                return decision
            }
            decision.audioDelay = piece.audioDelay
            decision.key = piece.key(source)
            decision.crop = piece.plan.square
            decision.cropMargin = (piece.plan.margin * 1e4).rounded() / 1e4
            decision.identity = annotated == nil ? nil : source.identity
            decision.attributes = annotated?.attributes
            decision.metrics = candidate.metrics
            decision.notApplied = notApplied
            return decision
        }
    }

    /// A piece of a candidate, which is a clip where the rules accept the candidate and the crop shows enough of
    /// the head.
    struct Piece {
        let frames: Range<Int>
        let plan: CropPlanner.Plan
        let audioDelay: Int?

        func key(_ source: Source) -> String {
            Decision.key(
                source: source.digest, frames: frames, crop: plan.square, audioDelay: audioDelay)
        }
    }

    /// The pieces of a candidate: of equal length, and no frame is left out.
    func pieces(
        of candidate: StitchedCandidate, _ source: Source, _ measurements: Measurements
    ) throws -> [Piece] {
        guard let video = source.probe?.video else { return [] }
        let planner = CropPlanner(
            settings: settings.clips, width: candidate.first.width ?? video.width,
            height: candidate.first.height ?? video.height)
        let track = try measurements.track(of: candidate)
        let frames = candidate.frames
        let longest = max(1, Int(settings.clips.maximumSeconds * Double(Grid.framesPerSecond)))
        let count = (frames.count + longest - 1) / longest
        return (0..<count).map { piece in
            let start = frames.count * piece / count, end = frames.count * (piece + 1) / count
            let (heads, faceHeight) = track.heads(start..<end)
            return Piece(
                frames: (frames.lowerBound + start)..<(frames.lowerBound + end),
                plan: planner.plan(heads: heads, faceHeight: faceHeight),
                audioDelay: Self.audioDelay(candidate.metrics))
        }
    }
}

extension Decision {
    /// Where an accepted clip is.
    fileprivate var place: String? {
        crop.map { Decision.place(source: source, frames: frames, crop: $0) }
    }

    /// The decision about a clip that shows what another one shows.
    fileprivate func rejected(as duplicate: Duplicates.Copy) -> Decision {
        var copy = self
        copy.decision = .reject
        copy.rule = "duplicate"
        copy.value = (duplicate.share * 1e4).rounded() / 1e4
        copy.limit = Duplicates.leastShare
        copy.duplicateOf = duplicate.original
        (copy.key, copy.crop, copy.cropMargin, copy.split) = (nil, nil, nil, nil)
        (copy.metrics, copy.notApplied, copy.audioDelay) = (nil, nil, nil)
        (copy.identity, copy.attributes) = (nil, nil)
        return copy
    }
}

/// Finds out which rules no candidate had a value for.
private struct UnmeasuredRules {
    private var unseen: [Metric]
    private var isEmpty = true

    init(_ rules: Rules) { unseen = rules.applied.map(\.metric) }

    mutating func add(_ metrics: Metrics) {
        isEmpty = false
        unseen.removeAll { metrics[$0] != nil }
    }

    var names: [String] { isEmpty ? [] : unseen.map(\.name) }
}

/// Gives accepted clips their shards, counting them by split, in order.
private struct DecisionWriter {
    let perShard: Int
    private var counts: [Decision.Split: Int] = [:]

    init(perShard: Int) { self.perShard = max(1, perShard) }

    mutating func placed(_ decision: Decision) -> Decision {
        guard let split = decision.split else { return decision }
        var placed = decision
        let number = String(counts[split, default: 0] / perShard)
        placed.shard =
            split.rawValue + "-" + String(repeating: "0", count: max(0, 5 - number.count)) + number
        counts[split, default: 0] += 1
        return placed
    }
}

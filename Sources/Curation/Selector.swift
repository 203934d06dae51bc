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

    private let dataset: DatasetDirectory
    private let settings: SelectSettings
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
        var lines = DecisionWriter(perShard: settings.clips.perShard)
        let file = try OutputFile(dataset.selectionFile)

        var state = Progress(unmeasured: UnmeasuredRules(settings.rules))
        state.report.counts.sources = sources.count
        for source in sources {
            let decisions: [Decision]
            if source.probe == nil {
                var decision = Decision(
                    source: source.digest, path: source.path, start: 0, end: 0, decision: .reject)
                decision.rule = source.reason
                decision.error = source.error
                decisions = [decision]
            } else {
                let measured = try measurements.lines(of: source)
                let spans = source.spans.map { $0.map(Optional.some) } ?? [nil]
                decisions = try spans.flatMap {
                    try decide(source, $0, measured.within($0), measurements, &state)
                }
            }
            for decision in settings.split.divided(decisions) {
                if let rule = decision.rule { state.report.counts.rejected[rule, default: 0] += 1 }
                try file.write(JSONLines.line(lines.placed(decision)))
            }
        }
        try file.commit()
        var report = state.report
        report.rulesNotApplied = state.unmeasured.names
        try Catalogue.update(dataset) { catalogue in
            let former = catalogue.counts
            catalogue.counts = report.counts
            catalogue.counts.clips = former.clips
            catalogue.counts.frames = former.frames
            catalogue.counts.hours = former.hours
            catalogue.rulesNotApplied = report.rulesNotApplied
        }
        return report
    }

    /// What accumulates while one source after the other is decided about.
    private struct Progress {
        var report = Report()
        var unmeasured: UnmeasuredRules
        var keys = Set<String>()
    }

    /// Decides about a source, or about one annotated span of it: each is judged by itself.
    private func decide(
        _ source: Source, _ span: AnnotatedSpan?, _ measured: [StitchedCandidate.Part],
        _ measurements: Measurements, _ state: inout Progress
    ) throws -> [Decision] {
        var decisions = withoutCandidates(measured.map(\.candidate), source, span)
        var candidates = stitched(
            measured.filter { $0.candidate.outcome == .candidate },
            networks: measurements.networkMetrics)
        let compared = comparedFaces(candidates.map { ($0.frames, $0.metrics) })
        for index in compared.indices { candidates[index].metrics = compared[index] }
        state.report.counts.candidates += candidates.count
        for candidate in candidates {
            let made = try decide(candidate, source, span, measurements).map { decision in
                guard let key = decision.key else { return decision }
                return state.keys.insert(key).inserted ? decision : decision.asCopy
            }
            state.unmeasured.add(candidate.metrics)
            let clips = made.count { $0.decision == .accept }
            state.report.clips += clips
            if clips > 0 { state.report.counts.accepted += 1 }
            decisions += made
        }
        for index in decisions.indices { decisions[index].annotation = span?.name }
        return decisions
    }

    /// One line for a source in which nothing was found, or that could not be decoded.
    private func withoutCandidates(
        _ lines: [Candidate], _ source: Source, _ span: AnnotatedSpan?
    ) -> [Decision] {
        let broken = lines.filter { $0.outcome == .undecodable }
        let isEmpty = !lines.contains { $0.outcome == .candidate }
        guard isEmpty || !broken.isEmpty else { return [] }
        let shown = broken.isEmpty ? lines : broken
        let start = shown.first?.start ?? span?.frames.lowerBound ?? 0
        var decision = Decision(
            source: source.digest, path: source.path, start: start,
            end: shown.last?.end ?? start, decision: .reject)
        let outcome = shown.first?.outcome ?? .noFace
        decision.rule = outcome.rawValue
        decision.error = shown.first?.error
        return [decision]
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
        if let box = span?.box, box.count == 4, candidate.share(in: box) < Self.meantShare {
            rejection.rule = "other-face"
            rejection.value = candidate.share(in: box)
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

    /// The frames by which the sound is delayed to fit the lips. Nobody sees one frame, and measuring is not
    /// surer than that: what is nearer than one and a half is left as it is.
    private static func audioDelay(_ metrics: Metrics) -> Int? {
        (metrics[.syncOffset] ?? metrics[.syncNetOffset]).map {
            abs($0) < 1.5 ? 0 : Int($0.rounded())
        }
    }

    /// The clips of an accepted candidate: pieces of equal length that leave out no frame.
    private func clips(
        of candidate: StitchedCandidate, _ source: Source, _ annotated: AnnotatedSpan?,
        _ measurements: Measurements, rejection: Decision, notApplied: [String]
    ) throws -> [Decision] {
        guard let video = source.probe?.video else { return [] }
        let planner = CropPlanner(
            settings: settings.clips, leastHeadShare: settings.rules.leastHeadShare,
            width: video.width, height: video.height)
        let track = try measurements.track(of: candidate)
        let frames = candidate.frames
        let longest = max(1, Int(settings.clips.maximumSeconds * Double(Grid.framesPerSecond)))
        let pieces = (frames.count + longest - 1) / longest
        return (0..<pieces).map { piece in
            let start = frames.count * piece / pieces, end = frames.count * (piece + 1) / pieces
            let span = (frames.lowerBound + start)..<(frames.lowerBound + end)
            let (heads, faceHeight) = track.heads(start..<end)
            var decision = Decision(
                source: source.digest, path: source.path, start: span.lowerBound,
                end: span.upperBound, decision: .accept)
            decision.face = rejection.face
            decision.syncCurve = candidate.syncCurve
            switch planner.plan(heads: heads, faceHeight: faceHeight) {
            case .doesNotFit(let share):
                decision.decision = .reject
                decision.rule = "crop"
                decision.value = (share * 1e6).rounded() / 1e6
                decision.limit = settings.rules.leastHeadShare
            case .crop(let crop, let margin):
                decision.key = Decision.key(source: source.digest, frames: span, crop: crop)
                decision.crop = crop
                decision.cropMargin = (margin * 1e4).rounded() / 1e4
                decision.split = settings.split.split(of: source)
                decision.identity = annotated == nil ? nil : source.identity
                decision.attributes = annotated?.attributes
                decision.metrics = candidate.metrics
                decision.notApplied = notApplied
                decision.audioDelay = Self.audioDelay(candidate.metrics)
            }
            return decision
        }
    }
}

extension Decision {
    /// Rejected: two faces whose crops are one square make one clip.
    fileprivate var asCopy: Decision {
        var copy = self
        copy.decision = .reject
        copy.rule = "duplicate"
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

import Dataset

/// What there is to decide about.
extension Selector {
    /// A candidate of a dataset, and where it is.
    struct Located {
        /// Counts the candidates of the dataset, from 0.
        let number: Int
        let candidate: StitchedCandidate
        let source: (index: Int, value: Source)
        /// Its annotated span, and the index of that among the source's; nil where the source has none.
        let span: (index: Int, value: AnnotatedSpan)?
    }

    /// Goes through a dataset in the order of `selection.jsonl`.
    ///
    /// - Parameter onNothing: called with the index of a source and the decision about it, or about a stretch of
    ///   it, where there are no candidates.
    func walk(
        _ sources: [Source], _ measurements: Measurements,
        onNothing: (Int, Decision) throws -> Void = { _, _ in },
        onCandidate: (Located) throws -> Void
    ) throws {
        var number = 0
        for (index, source) in sources.enumerated() {
            guard source.probe != nil else {
                try onNothing(index, Self.unusable(source))
                continue
            }
            let measured = try measurements.lines(of: source)
            for span in source.parts {
                let parts = measured.within(span?.value)
                if var decision = Self.withoutCandidates(
                    parts.map(\.candidate), source, span?.value)
                {
                    decision.annotation = span?.value.name
                    try onNothing(index, decision)
                }
                for candidate in Self.candidates(parts, measurements) {
                    try onCandidate(
                        Located(
                            number: number, candidate: candidate, source: (index, source),
                            span: span))
                    number += 1
                }
            }
        }
    }

    /// The candidates of a source, or of one annotated span of it, as the rules see them.
    static func candidates(
        _ measured: [StitchedCandidate.Part], _ measurements: Measurements
    ) -> [StitchedCandidate] {
        var candidates = stitched(
            measured.filter { $0.candidate.outcome == .candidate },
            networks: measurements.networkMetrics)
        let compared = comparedFaces(candidates.map { ($0.frames, $0.metrics) })
        for index in compared.indices { candidates[index].metrics = compared[index] }
        return candidates
    }

    /// The line of a source that cannot be used.
    static func unusable(_ source: Source) -> Decision {
        var decision = Decision(
            source: source.digest, path: source.path, start: 0, end: 0, decision: .reject)
        decision.rule = source.reason
        decision.error = source.error
        return decision
    }

    /// The line of a source in which nothing was found, or part of which could not be decoded; nil for others.
    static func withoutCandidates(
        _ lines: [Candidate], _ source: Source, _ span: AnnotatedSpan?
    ) -> Decision? {
        let broken = lines.filter { $0.outcome == .undecodable }
        let isEmpty = !lines.contains { $0.outcome == .candidate }
        guard isEmpty || !broken.isEmpty else { return nil }
        let shown = broken.isEmpty ? lines : broken
        let start = shown.first?.start ?? span?.frames.lowerBound ?? 0
        var decision = Decision(
            source: source.digest, path: source.path, start: start,
            end: shown.last?.end ?? start, decision: .reject)
        let outcome = shown.first?.outcome ?? .noFace
        decision.rule = outcome.rawValue
        decision.error = shown.first?.error
        return decision
    }
}

extension Source {
    /// What of the source is judged by itself: each annotated span, or nil for all of it.
    fileprivate var parts: [(index: Int, value: AnnotatedSpan)?] {
        spans.map { $0.enumerated().map { ($0.offset, $0.element) } } ?? [nil]
    }
}

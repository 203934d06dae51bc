import Dataset

/// What clips have in common, whatever limits accept them: whoever knows which clips are accepted can tell from it
/// which of them `loopy-select` takes for copies.
public struct SharedFootage: Sendable {
    /// Frames of a clip that another one shows too.
    public struct Stretch: Sendable {
        /// Indices of the clips.
        public let clip: Int
        public let other: Int
        /// The frames that both show, counted from the first frame of `clip`.
        public let frames: Range<Int>
    }

    public var stretches: [Stretch] = []
    /// The clips that have something in common with others, in the order in which they are worth keeping: one of
    /// which `leastShare` is seen in those kept before it is a copy.
    public var order: [Int] = []

    public static let leastShare = Duplicates.leastShare

    public init() {}
}

extension Selector {
    /// Compares all clips that limits could accept.
    ///
    /// - Parameter clips: what `selectableClips` gave.
    /// - Returns: nothing where the settings keep copies.
    /// - Throws: `LoopyError` when measurements are missing or not finished.
    public func sharedFootage(of clips: [SelectableClip]) throws -> SharedFootage {
        guard settings.duplicates == .reject else { return SharedFootage() }
        var rows: [Int: [Int]] = [:]
        for (row, clip) in clips.enumerated() {
            if let candidate = clip.candidate, clip.crop != nil {
                rows[candidate, default: []].append(row)
            }
        }
        let sources = try dataset.sources()
        let measurements = try Measurements(dataset, sources: sources)
        var library = FootageLibrary()
        // The clips of each candidate of the library, and what they are worth.
        var compared: [[(row: Int, frames: Range<Int>, worth: Duplicates.Worth)]] = []
        try walk(sources, measurements) { located in
            guard let clipRows = rows[located.number] else { return }
            let candidate = located.candidate, first = candidate.frames.lowerBound
            library.add(
                try measurements.footage(of: candidate), source: located.source.index)
            compared.append(
                clipRows.map { row in
                    let frames = clips[row].frames
                    let worth = Duplicates.Worth(
                        candidate.metrics, frames: frames.count, key: clips[row].key ?? "")
                    return (row, (frames.lowerBound - first)..<(frames.upperBound - first), worth)
                })
        }
        var relations = try FootageRelations(in: library)
        for candidate in Set(relations.pairs.flatMap { [$0.0, $0.1] }).sorted() {
            relations.addDistantNeighbours(of: candidate)
        }
        var shared = SharedFootage()
        var worth: [Int: Duplicates.Worth] = [:]
        for (candidate, neighbours) in relations.neighbours.sorted(by: { $0.key < $1.key }) {
            for clip in compared[candidate] {
                worth[clip.row] = clip.worth
                for (other, match) in neighbours {
                    for original in compared[other] {
                        let common = match.common(of: clip.frames, with: original.frames)
                        guard !common.isEmpty else { continue }
                        let first = common.lowerBound - clip.frames.lowerBound
                        shared.stretches.append(
                            .init(
                                clip: clip.row, other: original.row,
                                frames: first..<(first + common.count)))
                    }
                }
            }
        }
        shared.order = worth.sorted { $0.value < $1.value }.map(\.key)
        return shared
    }
}

/// Which candidates share footage, and what.
struct FootageRelations {
    /// The candidates that were found to share footage, in pairs.
    let pairs: [(Int, Int)]
    /// The candidates that share footage with each candidate, and what they share, seen from that one.
    private(set) var neighbours: [Int: [(other: Int, match: FootageMatch)]] = [:]
    private let library: FootageLibrary

    /// - Throws: `LoopyError` where there are too many candidates.
    init(in library: FootageLibrary) throws {
        self.library = library
        let found = try FootageSearch.matches(in: library)
        pairs = found.map { ($0.first, $0.second) }
        for (first, second, matches) in found {
            for match in matches {
                neighbours[first, default: []].append((second, match))
                neighbours[second, default: []].append((first, match.seenFromSecond))
            }
        }
    }

    /// Finds out what a candidate shares with those that it is related to through others.
    mutating func addDistantNeighbours(of candidate: Int) {
        var reached = Set((neighbours[candidate] ?? []).map(\.other) + [candidate])
        var queue = (neighbours[candidate] ?? []).map { ($0.other, $0.match.offset) }
        var next = 0
        while next < queue.count {
            let (middle, offset) = queue[next]
            next += 1
            for (other, match) in neighbours[middle] ?? [] where !reached.contains(other) {
                let found = FootageMatch.stretches(
                    candidate, other, offset: offset + match.offset, in: library)
                guard let first = found.first else { continue }
                reached.insert(other)
                queue.append((other, first.offset))
                for match in found {
                    neighbours[candidate, default: []].append((other, match))
                    neighbours[other, default: []].append((candidate, match.seenFromSecond))
                }
            }
        }
    }
}

extension FootageMatch {
    /// The frames of a clip of the first candidate that a clip of the second shows too.
    ///
    /// - Parameters:
    ///   - clip: frames of the first candidate, from its first.
    ///   - other: frames of the second.
    func common(of clip: Range<Int>, with other: Range<Int>) -> Range<Int> {
        let first = other.lowerBound - offset
        return frames.clamped(to: clip).clamped(to: first..<(first + other.count))
    }

    /// The same, with the candidates in the other order.
    var seenFromSecond: FootageMatch {
        FootageMatch(
            frames: (frames.lowerBound + offset)..<(frames.upperBound + offset), offset: -offset,
            isMirrored: isMirrored, soundDistance: soundDistance,
            pictureDistance: pictureDistance, movement: movement)
    }
}

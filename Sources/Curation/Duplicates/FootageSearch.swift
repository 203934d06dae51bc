import Dispatch
import Errors
import Synchronization

/// Finds candidates that share footage, among a million.
///
/// Copies have words of sound in common, bit by bit. All words are sorted, and where two candidates have the same
/// one, the second around it is compared; then the candidates as a whole. Nothing is compared with everything.
package struct FootageSearch {
    /// A pair of candidates that may share footage: at some frame of the first, and of the second `offset` later.
    private struct Hit: Hashable, Comparable {
        let first: Int
        let second: Int
        let offset: Int

        static func < (a: Hit, b: Hit) -> Bool {
            (a.first, a.second, a.offset) < (b.first, b.second, b.offset)
        }
    }

    /// The words that are sorted at a time are those that begin with the same bits.
    private static let partitionBits = 5
    /// A word is compared with so many of the equal ones that follow it: of footage that a hundred candidates
    /// share each finds some of the others, and through them all.
    private static let neighbours = 8
    /// The frames on either side of an equal word whose words are compared at once, and the share of their bits that
    /// may differ.
    private static let reach = 12, nearWords = 0.25
    /// Hits of a pair that are so near to each other are one.
    private static let nearOffsets = 3

    /// All pairs of candidates with what they have in common, the first of a pair having the smaller number.
    ///
    /// - Throws: `LoopyError` `.tooLarge` for more frames than can be numbered.
    package static func matches(
        in library: FootageLibrary
    ) throws -> [(first: Int, second: Int, matches: [FootageMatch])] {
        guard library.words.count < UInt32.max else {
            throw LoopyError(
                .tooLarge,
                "candidates of more than \(UInt32.max / 90_000) hours cannot be compared at once; set "
                    + "select.duplicates to keep, or divide the sources into several datasets")
        }
        let hits = hits(in: library)
        var result: [(first: Int, second: Int, matches: [FootageMatch])] = []
        var last: Hit?
        for hit in hits {
            if let last, last.first == hit.first, last.second == hit.second,
                hit.offset - last.offset <= nearOffsets
            {
                continue
            }
            let isSamePair = last?.first == hit.first && last?.second == hit.second
            last = hit
            let found = FootageMatch.stretches(
                hit.first, hit.second, offset: hit.offset, in: library)
            guard !found.isEmpty else { continue }
            if isSamePair, let known = result.last, known.first == hit.first,
                known.second == hit.second
            {
                result[result.count - 1].matches += found.filter { !known.matches.contains($0) }
            } else {
                result.append((hit.first, hit.second, found))
            }
        }
        return result
    }

    private static func hits(in library: FootageLibrary) -> [Hit] {
        let partitions = 1 << partitionBits
        let found = Mutex<[Hit]>([])
        DispatchQueue.concurrentPerform(iterations: partitions) { partition in
            let hits = hits(in: library, beginningWith: UInt32(partition))
            found.withLock { $0 += hits }
        }
        // Which partition was done first does not matter.
        return Set(found.withLock { $0 }).sorted()
    }

    private static func hits(in library: FootageLibrary, beginningWith bits: UInt32) -> Set<Hit> {
        // words and where they are, in one number each
        var places: [UInt64] = []
        var last: UInt32 = 0
        for (index, word) in library.words.enumerated() {
            // A word that stands still says no more than its first frame.
            if word >> (32 - UInt32(partitionBits)) == bits, word != 0, word != last {
                places.append(UInt64(word) << 32 | UInt64(index))
            }
            last = word
        }
        places.sort()

        var hits: Set<Hit> = []
        for index in places.indices {
            let place = Int(places[index] & 0xffff_ffff)
            var entry: Int?
            for next in places[(index + 1)...].prefix(neighbours) {
                guard next >> 32 == places[index] >> 32 else { break }
                let other = Int(next & 0xffff_ffff)
                guard isAlike(place, other, in: library) else { continue }
                let first = entry ?? library.entry(ofFrame: place)
                entry = first
                let second = library.entry(ofFrame: other)
                guard first != second else { continue }
                let (a, b) = (library.entries[first], library.entries[second])
                let offset = (other - b.frames.lowerBound) - (place - a.frames.lowerBound)
                hits.insert(Hit(first: first, second: second, offset: offset))
            }
        }
        return hits
    }

    /// Whether the words around two places are alike. Around the ends of candidates others are looked at, too:
    /// that may miss a hit, and finds none that is not there.
    private static func isAlike(_ place: Int, _ other: Int, in library: FootageLibrary) -> Bool {
        let words = library.words
        guard min(place, other) >= reach, max(place, other) + reach < words.count else {
            return true
        }
        var (differing, heard) = (0, 0)
        for step in -reach...reach {
            let (one, two) = (words[place + step], words[other + step])
            guard one != 0, two != 0 else { continue }
            differing += (one ^ two).nonzeroBitCount
            heard += 1
        }
        return Double(differing) <= nearWords * Double(32 * heard)
    }
}

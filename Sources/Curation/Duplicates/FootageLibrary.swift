import Dataset

/// The footage of all candidates that are compared, in a few long arrays.
package struct FootageLibrary: Sendable {
    /// A candidate: where it is from, and where its numbers begin.
    struct Entry {
        /// The number of the source.
        let source: Int
        /// The first frame, from the source's first picture.
        let start: Int
        /// The indices of its words and mouth openings.
        let frames: Range<Int>
        /// The indices of its hashes.
        let hashes: Range<Int>
    }

    private(set) var entries: [Entry] = []
    private(set) var words: [UInt32] = []
    private(set) var details: [UInt32] = []
    private(set) var mouth: [UInt8] = []
    private(set) var hashes: [UInt64] = []

    package init() {}

    /// Adds a candidate; its number is that of those added before.
    package mutating func add(_ footage: Footage, source: Int) {
        entries.append(
            Entry(
                source: source, start: footage.start,
                frames: words.count..<(words.count + footage.frameCount),
                hashes: hashes.count..<(hashes.count + footage.hashes.count)))
        words += footage.sound.words
        details += footage.sound.details
        mouth += footage.mouth
        hashes += footage.hashes
    }

    /// The candidate that a word is of.
    func entry(ofFrame index: Int) -> Int {
        var (low, high) = (0, entries.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if entries[middle].frames.lowerBound <= index { low = middle } else { high = middle }
        }
        return low
    }

    /// The hash nearest to a frame of a candidate, within half a step; 0 where there is none.
    ///
    /// - Parameter frame: from the candidate's first.
    func hash(of entry: Entry, near frame: Int) -> UInt64 {
        let step = Footage.hashStep
        let first = Footage.hashes(of: entry.start..<entry.start).lowerBound
        let index = (entry.start + frame + step / 2) / step - first
        return (0..<entry.hashes.count).contains(index)
            ? hashes[entry.hashes.lowerBound + index] : 0
    }
}

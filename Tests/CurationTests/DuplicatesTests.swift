import Curation
import TestSupport
import Testing

@Suite struct DuplicatesTests {
    /// Candidates that are clips as a whole, each of a source of its own.
    private struct Candidates {
        private(set) var library = FootageLibrary()
        private(set) var clips: [Duplicates.Clip] = []

        mutating func add(
            _ key: String, _ footage: Footage, faceHeight: Double = 100, source: Int? = nil
        ) {
            let number = clips.count
            library.add(footage, source: source ?? number)
            let frames = 0..<footage.frameCount
            let worth = Duplicates.Worth(
                faceHeight: faceHeight, frames: frames.count, detail: 0.2, key: key)
            clips.append(
                Duplicates.Clip(key: key, candidate: number, frames: frames, worth: worth))
        }

        var copies: [String: String] {
            get throws { try Duplicates(of: clips, in: library).copies.mapValues(\.original) }
        }
    }

    @Test func copiesAreFoundWhereverTheyBeginAndInMirrors() throws {
        var synthetic = SyntheticFootage(seed: 1)
        var candidates = Candidates()
        let footage = synthetic.original(frames: 250)
        candidates.add("large", footage, faceHeight: 200)
        candidates.add("cut", synthetic.copy(of: footage, from: 35), faceHeight: 100)
        candidates.add("mirrored", synthetic.copy(of: footage, from: 0, isMirrored: true))
        candidates.add("other", synthetic.original(frames: 250))
        #expect(try candidates.copies == ["cut": "large", "mirrored": "large"])
    }

    @Test func theLargestFaceIsKeptThenTheLongestClip() throws {
        var synthetic = SyntheticFootage(seed: 2)
        let footage = synthetic.original(frames: 200)
        var candidates = Candidates()
        candidates.add("small", footage, faceHeight: 100)
        candidates.add("short", synthetic.copy(of: footage, from: 80), faceHeight: 205)
        candidates.add("long", synthetic.copy(of: footage, from: 5), faceHeight: 200)
        #expect(try candidates.copies == ["small": "long", "short": "long"])
    }

    /// The picture of one take with the sound of another is neither.
    @Test func soundAndPicturesMustBothBeTheSame() throws {
        var synthetic = SyntheticFootage(seed: 3)
        let (one, other) = (synthetic.original(frames: 250), synthetic.original(frames: 250))
        var candidates = Candidates()
        candidates.add("one", one)
        candidates.add(
            "its sound",
            Footage(start: 0, sound: one.sound, mouth: other.mouth, hashes: other.hashes))
        candidates.add(
            "its pictures",
            Footage(start: 0, sound: other.sound, mouth: one.mouth, hashes: one.hashes))
        #expect(try candidates.copies == [:])
    }

    /// Sentences that one person says twice have words in common, and no details.
    @Test func anotherTakeOfTheSameWordsIsNoCopy() throws {
        var synthetic = SyntheticFootage(seed: 9)
        let (one, other) = (synthetic.original(frames: 100), synthetic.original(frames: 100))
        var candidates = Candidates()
        candidates.add("one", one)
        candidates.add(
            "other",
            Footage(
                start: 0,
                sound: FootageSound(words: one.sound.words, details: other.sound.details),
                mouth: one.mouth, hashes: one.hashes))
        #expect(try candidates.copies == [:])
    }

    @Test func aShortStretchInCommonMakesNoCopy() throws {
        var synthetic = SyntheticFootage(seed: 4)
        let (opening, rest) = (synthetic.original(frames: 75), synthetic.original(frames: 250))
        func programme(_ part: Footage) -> Footage {
            Footage(
                start: 0,
                sound: FootageSound(
                    words: opening.sound.words + part.sound.words,
                    details: opening.sound.details + part.sound.details),
                mouth: opening.mouth + part.mouth, hashes: opening.hashes + part.hashes)
        }
        var candidates = Candidates()
        candidates.add("first", programme(rest))
        candidates.add("second", programme(synthetic.original(frames: 250)))
        let duplicates = try Duplicates(of: candidates.clips, in: candidates.library)
        #expect(duplicates.copies == [:])
        // They must not be parted all the same.
        #expect(duplicates.pairs.map { [$0.0, $0.1] } == [[0, 1]])
    }

    /// Each finds but a few of the others by equal words.
    @Test func ofAHundredCopiesOneIsKept() throws {
        var synthetic = SyntheticFootage(seed: 5)
        let footage = synthetic.original(frames: 150)
        var candidates = Candidates()
        for number in 0..<100 {
            candidates.add(
                "copy \(number)", synthetic.copy(of: footage, from: 0, errors: 0.02),
                faceHeight: number == 63 ? 300 : 100)
        }
        let copies = try candidates.copies
        #expect(copies.count == 99)
        #expect(Set(copies.values) == ["copy 63"])
    }

    @Test func theOrderOfCandidatesDoesNotMatter() throws {
        var synthetic = SyntheticFootage(seed: 6)
        var footage: [(String, Footage)] = []
        for number in 0..<20 {
            let original = synthetic.original(frames: 150)
            footage.append(("original \(number)", original))
            footage.append(("copy \(number)", synthetic.copy(of: original, from: 10)))
        }
        func copies(_ order: [(String, Footage)]) throws -> [String: String] {
            var candidates = Candidates()
            for (key, footage) in order { candidates.add(key, footage) }
            return try candidates.copies
        }
        let expected = try copies(footage)
        #expect(expected.count == 20)
        #expect(try copies(footage.reversed()) == expected)
    }

    /// Two faces of one picture, or spans that overlap.
    @Test func onePlaceOfASourceIsNoCopyOfItself() throws {
        var synthetic = SyntheticFootage(seed: 7)
        let footage = synthetic.original(frames: 250)
        var candidates = Candidates()
        candidates.add("one", footage, source: 0)
        candidates.add("same", footage, source: 0)
        #expect(try candidates.copies == [:])
        candidates.add("repeated in another file", footage, source: 1)
        #expect(try candidates.copies == ["repeated in another file": "one"])
    }

    @Test func copiesAreFoundAmongThousands() throws {
        var synthetic = SyntheticFootage(seed: 8)
        var candidates = Candidates()
        var expected: [String: String] = [:]
        for number in 0..<2000 {
            let footage = synthetic.original(frames: 125)
            candidates.add("\(number)", footage, faceHeight: 200)
            if number.isMultiple(of: 50) {
                candidates.add("copy of \(number)", synthetic.copy(of: footage, from: 15))
                expected["copy of \(number)"] = "\(number)"
            }
        }
        #expect(try candidates.copies == expected)
    }
}

@Suite struct SplitGroupsTests {
    @Test func linkedSourcesHaveOneNameAndAnnotatedIdentitiesKeepTheirs() throws {
        let sources = try ["a", "b", "c", "d", "e"].map {
            try makeSource($0, frames: 100, identity: $0 == "b" || $0 == "e" ? "ada" : nil)
        }
        var groups = SplitGroups(sources, links: [(0, 1), (2, 3)])
        #expect((0..<5).map { groups.name(of: $0) }.prefix(2) == ["ada", "ada"])
        #expect(groups.name(of: 4) == "ada")
        #expect(groups.name(of: 2) == groups.name(of: 3))
        #expect(groups.name(of: 2) == min(sources[2].digest, sources[3].digest))
        var alone = SplitGroups(sources, links: [])
        #expect(alone.name(of: 0) == sources[0].digest)
    }
}

@Suite struct FaceClustersTests {
    /// People of 64 numbers, each seen several times.
    private func faces(_ people: Int, times: Int, seed: UInt64) -> [[Float]] {
        var random = SplitMix(state: seed)
        func vector(_ length: Float) -> [Float] {
            (0..<64).map { _ in Float.random(in: -1...1, using: &random) * length }
        }
        return (0..<people).flatMap { _ in
            let person = vector(1)
            return (0..<times).map { _ in zip(person, vector(0.5)).map(+) }
        }
    }

    @Test func facesOfOnePersonComeTogether() {
        let all = faces(40, times: 30, seed: 1)
        let clusters = FaceClusters(of: all, likeness: 0.6)
        #expect(clusters.roots == all.indices.map { $0 / 30 * 30 })
    }

    @Test func strangersStayApart() {
        let all = faces(500, times: 1, seed: 2)
        #expect(FaceClusters(of: all, likeness: 0.6).roots == Array(all.indices))
        #expect(FaceClusters(of: [], likeness: 0.6).roots == [])
    }

    /// A chain from one person to another holds only where its ends are alike too.
    @Test func aFaceBetweenTwoPeopleDoesNotJoinThem() {
        let one: [Float] = [1, 0], other: [Float] = [0, 1], between: [Float] = [0.72, 0.7]
        let clusters = FaceClusters(
            of: [one, one, one, other, other, other, between], likeness: 0.7)
        #expect(clusters.roots[0] == clusters.roots[1])
        #expect(clusters.roots[3] == clusters.roots[4])
        #expect(clusters.roots[0] != clusters.roots[3])
    }
}

import Curation

/// Footage that nobody filmed: words, hashes and mouth openings that go on as those of real footage do.
package struct SyntheticFootage {
    private var random: SplitMix

    package init(seed: UInt64) { random = SplitMix(state: seed) }

    /// A candidate of its own: a few bits of its words change from frame to frame, and the head moves a little.
    package mutating func original(frames: Int) -> Footage {
        var (word, hash, mouth) = (UInt32(truncatingIfNeeded: random.next()), random.next(), 60)
        var words: [UInt32] = []
        var details: [UInt32] = []
        var mouths: [UInt8] = []
        for _ in 0..<frames {
            for _ in 0..<3 { word ^= 1 << UInt32(random.next() % 32) }
            mouth = max(0, min(200, mouth + Int(random.next() % 61) - 30))
            words.append(word | 1)
            details.append(UInt32(truncatingIfNeeded: random.next()) | 1)
            mouths.append(UInt8(mouth))
        }
        let hashes = Footage.hashes(of: 0..<frames).map { _ in
            hash ^= 1 << (1 + random.next() % 63)
            return hash | 1
        }
        return Footage(
            start: 0, sound: FootageSound(words: words, details: details), mouth: mouths,
            hashes: hashes)
    }

    /// The frames of a candidate from `first` on, encoded anew.
    ///
    /// - Parameters:
    ///   - first: a multiple of `Footage.hashStep`.
    ///   - errors: the share of bits that differ.
    package mutating func copy(
        of footage: Footage, from first: Int, errors: Double = 0.05, isMirrored: Bool = false
    ) -> Footage {
        precondition(first.isMultiple(of: Footage.hashStep))
        let flips = isMirrored ? 0xaaaa_aaaa_aaaa_aaaa : UInt64(0)
        let words = footage.sound.words[first...].map {
            $0 ^ UInt32(truncatingIfNeeded: noise(errors))
        }
        let details = footage.sound.details[first...].map {
            $0 ^ UInt32(truncatingIfNeeded: noise(errors))
        }
        let hashes = footage.hashes[(first / Footage.hashStep)...].map {
            ($0 ^ flips ^ noise(errors)) | 1
        }
        return Footage(
            start: 0, sound: FootageSound(words: words, details: details),
            mouth: Array(footage.mouth[first...]), hashes: hashes)
    }

    /// A number whose bits are set with some probability.
    private mutating func noise(_ share: Double) -> UInt64 {
        (0..<64).reduce(0) { bits, _ in
            bits << 1 | (Double(random.next() >> 11) / Double(1 << 53) < share ? 1 : 0)
        }
    }
}

/// Steele, Lea and Flood's SplitMix64: the same numbers for the same seed.
package struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    package init(state: UInt64) { self.state = state }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

import Foundation
import Perception
import Runs

/// One speech sound and when it is heard.
package struct Phone: Sendable, Equatable {
    package let start: Double
    package let end: Double
    /// IPA, or ARPABET in capitals.
    package let name: String

    package init(start: Double, end: Double, name: String) {
        (self.start, self.end, self.name) = (start, end, name)
    }
}

/// The motion of a mouth that speaks known phones: each draws the lips towards its own shape, before and
/// after it is heard, and strong ones win ("Modeling coarticulation in synthetic visual speech", Cohen and
/// Massaro 1993).
///
/// Every speaker is another one: how far the lips go, how early they set out, and what each phone wants of
/// them is drawn.
package struct Articulation {
    /// `[T]`, frames of 25 a second.
    package let lips: [LipShape]

    /// What a phone wants of the lips: how far they open, spread (negative: round), and come forward; and how
    /// much it insists.
    private struct Target {
        let opening, spread, protrusion, strength: Double

        init(_ opening: Double, _ spread: Double, _ protrusion: Double, _ strength: Double) {
            (self.opening, self.spread) = (opening, spread)
            (self.protrusion, self.strength) = (protrusion, strength)
        }

        var values: SIMD3<Double> { [opening, spread, protrusion] }
    }

    /// Frames of 10 ms, of which one in four is a picture.
    private static let rate = 100.0
    /// The seconds by which lips are ahead of the sound. It decides what counts as in step: on 23 real clips
    /// of 20 people the offset then is 0 in the median.
    private static let lead = 0.07

    /// - Parameter seconds: how long it lasts.
    package init(_ phones: [Phone], seconds: Double, _ numbers: inout SeededNumbers) {
        let speaker = Speaker(&numbers)
        let steps = Int(seconds * Self.rate)
        var sums = [SIMD3<Double>](repeating: .zero, count: steps)
        var weights = [Double](repeating: 1e-3, count: steps)
        for part in phones.flatMap(Self.parts) {
            guard let target = Self.targets[part.name] else { continue }
            var wanted = target.values + (speaker.habits[part.name] ?? .zero)
            for index in 0..<3 { wanted[index] += 0.07 * numbers.normal() }
            let strength = target.strength * exp(0.15 * numbers.normal())
            let middle = (part.start + part.end) / 2 - Self.lead
            let half = (part.end - part.start) / 4
            // beyond half a second nothing is left of it
            let first = max(0, Int((middle - half - 0.5) * Self.rate))
            let end = min(steps, Int((middle + half + 0.5) * Self.rate))
            guard first < end else { continue }
            for step in first..<end {
                let time = (Double(step) + 0.5) / Self.rate
                let distance = max(0, abs(time - middle) - half)
                let speed = time < middle ? speaker.onset : speaker.release
                let weight = strength * exp(-speed * distance * (part.name == "_" ? 0.7 : 1))
                sums[step] += weight * wanted
                weights[step] += weight
            }
        }
        let track = Self.smoothed(zip(sums, weights).map { $0 / $1 }, width: speaker.inertia)
        lips = stride(from: 0, to: steps - 3, by: 4).map { first in
            let mean = track[first..<(first + 4)].reduce(.zero, +) / 4
            let state = mean * speaker.range
            return Self.shape(opening: state.x, spread: state.y, protrusion: state.z)
        }
    }

    /// What is a speaker's own.
    private struct Speaker {
        /// How fast a phone's pull grows before it is heard, and fades after it, a second.
        let onset, release: Double
        /// The width of the window that smooths the motion, in steps.
        let inertia: Int
        /// How far the lips go.
        let range: SIMD3<Double>
        /// What the speaker's phones want otherwise than others'.
        let habits: [String: SIMD3<Double>]

        init(_ numbers: inout SeededNumbers) {
            release = numbers.between(14, 26)
            onset = release / numbers.between(1, 1.7)
            inertia = 7 + numbers.below(8)
            var range = SIMD3<Double>.zero
            for index in 0..<3 { range[index] = exp(0.3 * numbers.normal()) }
            self.range = range
            var habits: [String: SIMD3<Double>] = [:]
            for name in Articulation.targets.keys.sorted() {
                // Closed lips are closed for everybody.
                let freedom = Articulation.targets[name]!.strength < 2 ? 0.09 : 0.018  // its key
                var habit = SIMD3<Double>.zero
                for index in 0..<3 { habit[index] = freedom * numbers.normal() }
                habits[name] = habit
            }
            self.habits = habits
        }
    }

    /// Means with Hann weights.
    private static func smoothed(
        _ track: [SIMD3<Double>], width: Int
    ) -> [SIMD3<Double>] {
        let weights = (0..<width).map {
            pow(sin(.pi * (Double($0) + 0.5) / Double(width)), 2) * 2 / Double(width)
        }
        return track.indices.map { step in
            weights.indices.reduce(SIMD3<Double>.zero) { sum, index in
                let at = min(max(step + index - width / 2, 0), track.count - 1)
                return sum + weights[index] * track[at]
            }
        }
    }

    // MARK: Lips

    /// The lips of an opening, a spread and a protrusion. Each moves all the values of `LipShape`, as it does on
    /// a speaker of the GRID corpus: least squares over 165 sentences, in standard deviations.
    package static func shape(
        opening: Double, spread: Double = 0, protrusion: Double = 0
    ) -> LipShape {
        LipShape(
            values: (0..<LipShape.count).map { index in
                let moved =
                    opening * Self.opening[index] + spread * Self.spread[index]
                    + protrusion * Self.protrusion[index]
                return Float(moved) * LipShape.deviations[index]
            })
    }

    private static let opening = [
        4.2, 4.21, 4.34, 3.47, 0, -0.98, -3.07, -2.08, 3.29, 2.98, 0.66, 1.7, -3.19, 1.33, -0.32,
    ]
    private static let spread = [
        0, 0.01, 0.05, -0.44, 2.6, 2.28, -1.11, -1.7, -0.57, -0.7, -0.91, -1.62, 0.4, -0.17, 1.35,
    ]
    private static let protrusion = [
        0, 0.01, 0.09, -0.34, 0, 0.3, -0.58, -0.85, -0.31, -0.48, -1.76, -0.1, -3.96, -1.83, -2.36,
    ]

    // MARK: Phones

    /// A phone's letters, each with its share of the time: diphthongs and affricates have several.
    private static func parts(of phone: Phone) -> [Phone] {
        let letters: [String]
        if let known = arpabet[phone.name] {
            letters = known
        } else {
            let known = phone.name.map(String.init).filter { targets[$0] != nil }
            letters = known.isEmpty ? ["ə"] : known
        }
        let length = (phone.end - phone.start) / Double(letters.count)
        return letters.enumerated().map { index, letter in
            let start = phone.start + Double(index) * length
            return Phone(start: start, end: start + length, name: letter)
        }
    }

    /// What each letter of IPA wants.
    private static let targets: [String: Target] = {
        let rows: [(String, Target)] = [
            // vowels
            ("ɑaɐ", Target(1, 0.05, -0.05, 1)), ("æ", Target(0.9, 0.35, -0.1, 1)),
            ("ʌəɜɘ", Target(0.5, 0.05, 0, 0.6)), ("ɔɒ", Target(0.8, -0.35, 0.45, 1)),
            ("ɛ", Target(0.65, 0.3, -0.05, 1)), ("ɚɝ", Target(0.35, -0.3, 0.4, 1)),
            ("ɪɨ", Target(0.35, 0.3, 0, 0.7)), ("i", Target(0.25, 0.65, -0.2, 1)),
            ("e", Target(0.45, 0.5, -0.1, 1)), ("o", Target(0.5, -0.6, 0.7, 1)),
            ("ʊ", Target(0.3, -0.45, 0.5, 0.8)), ("u", Target(0.18, -0.85, 0.9, 1.2)),
            ("yøœʏ", Target(0.22, -0.6, 0.8, 1)), ("ɯ", Target(0.25, 0.3, 0, 0.8)),
            // lips
            ("pbmɓ", Target(-0.12, 0, 0.05, 4)), ("fvʋɱ", Target(0.06, 0.12, -0.1, 2.5)),
            ("wɥʍ", Target(0.1, -0.9, 1, 2)),
            // tongue
            ("rɹɻ", Target(0.25, -0.35, 0.45, 0.9)), ("ɾʀʁχɽ", Target(0.35, 0, 0, 0.4)),
            ("θð", Target(0.22, 0.15, 0, 1)), ("tdnszɗʈɖɳ", Target(0.17, 0.2, 0, 0.9)),
            ("ʃʒɕʑʂʐ", Target(0.22, -0.35, 0.5, 1.5)), ("lɫʎɭʟ", Target(0.35, 0.1, 0, 0.5)),
            ("j", Target(0.22, 0.45, 0, 0.8)),
            ("kgɡŋhxcɟɲçɣqʔɦħʕɢ", Target(0.35, 0.05, 0, 0.25)),
            // silence
            ("_", Target(0, 0, 0, 1)),
        ]
        return Dictionary(
            uniqueKeysWithValues: rows.flatMap { letters, target in
                letters.map { (String($0), target) }
            })
    }()

    private static let arpabet: [String: [String]] = [
        "AA": ["ɑ"], "AE": ["æ"], "AH": ["ʌ"], "AX": ["ə"], "AO": ["ɔ"], "AW": ["a", "u"],
        "AY": ["a", "i"], "EH": ["ɛ"], "ER": ["ɝ"], "EY": ["ɛ", "i"], "IH": ["ɪ"], "IY": ["i"],
        "OW": ["o", "u"], "OY": ["ɔ", "i"], "UH": ["ʊ"], "UW": ["u"], "P": ["p"], "B": ["b"],
        "M": ["m"], "F": ["f"], "V": ["v"], "W": ["w"], "R": ["ɹ"], "TH": ["θ"], "DH": ["ð"],
        "T": ["t"], "D": ["d"], "N": ["n"], "S": ["s"], "Z": ["z"], "SH": ["ʃ"], "ZH": ["ʒ"],
        "CH": ["ʃ"], "JH": ["ʒ"], "K": ["k"], "G": ["ɡ"], "NG": ["ŋ"], "HH": ["h"], "L": ["l"],
        "Y": ["j"], "PAU": ["_"],
    ]
}

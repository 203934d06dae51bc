import Foundation
import SyntheticSpeaker
import TestSupport
import Testing

/// What the mouth does is a function of the speech.
@Suite struct SpeechMouthTests {
    private static let rate = 16_000.0
    private static let frame = 640

    /// Harmonics of a voice of 125 Hz, loud around two formants.
    ///
    /// - Parameter second: the amplitude of the second formant, over the first's.
    private func vowel(_ formants: [Double], second: Double = 0.3, frames: Int) -> [Float] {
        let harmonics = (1...40).map { harmonic -> (frequency: Double, amplitude: Double) in
            let frequency = 125.0 * Double(harmonic)
            let gains = formants.map { 1 / (1 + pow((frequency - $0) / 80, 2)) }
            return (frequency, (gains[0] + second * gains[1]) / Double(harmonic).squareRoot())
        }
        return (0..<(frames * Self.frame)).map { index in
            let time = Double(index) / Self.rate
            return Float(
                harmonics.reduce(0) { $0 + $1.amplitude * sin(2 * .pi * $1.frequency * time) })
        }
    }

    private func silence(frames: Int) -> [Float] {
        [Float](repeating: 0, count: frames * Self.frame)
    }

    @Test func vowelsOpenTheMouthAsTheyDoInPeople() throws {
        let (ah, ee, oo) = ([750.0, 1200], [280.0, 2300], [320.0, 700])
        let mouth = try SpeechMouth(
            silence(frames: 10) + vowel(ah, frames: 10) + silence(frames: 10)
                + vowel(ee, second: 1, frames: 10) + silence(frames: 10) + vowel(oo, frames: 10))
        #expect(mouth.frames == 60)
        let (open, spread, rounded) = (15, 35, 55)
        #expect(mouth.opening[open] > 0.6)
        #expect(mouth.opening[open] > 1.5 * mouth.opening[spread])
        #expect(mouth.opening[open] > 1.5 * mouth.opening[rounded])
        #expect(mouth.spread[spread] > 0.3)
        #expect(mouth.spread[rounded] < -0.3)
        for silent in [5, 25, 45] {
            #expect(mouth.opening[silent] < 0.001)
            #expect(!mouth.isHeard[silent])
        }
        #expect(mouth.isHeard[open] && mouth.isHeard[spread] && mouth.isHeard[rounded])
    }

    /// Nothing depends on sound further away than 150 ms before and after its middle, 50 ms later, but for the
    /// recording's loudness and the spectra's overlap.
    @Test func aModelThatHearsTheFramesAroundItCanKnowTheMouth() throws {
        var numbers = FixedNumbers(7)
        let samples = vowel([600, 1500], frames: 40).map {
            $0 * Float.random(in: 0...1, using: &numbers)
        }
        // The same samples, those far from frame 20 in another order.
        let near = (18 * Self.frame)..<(25 * Self.frame)
        let changed = Array(
            samples[..<near.lowerBound].reversed() + samples[near]
                + samples[near.upperBound...].reversed())
        let (a, b) = (try SpeechMouth(samples), try SpeechMouth(changed))
        #expect(abs(a.opening[20] - b.opening[20]) < 1e-4)
        #expect(abs(a.spread[20] - b.spread[20]) < 1e-4)
        #expect(abs(a.opening[10] - b.opening[10]) > 1e-4)
    }

    @Test func theMouthIsFiftyMillisecondsAheadOfTheSound() throws {
        for frame in [12, 20] {
            let mouth = try SpeechMouth(
                silence(frames: frame) + vowel([750, 1200], frames: 1)
                    + silence(frames: 40 - frame - 1))
            let moments = mouth.opening.enumerated().map { Double($0) * $1 }.reduce(0, +)
            let middle = moments / mouth.opening.reduce(0, +)
            #expect(abs(middle - (Double(frame) - 1.25)) < 0.1)
            #expect(max(mouth.opening[frame - 4], mouth.opening[frame + 2]) < 0.01)
            #expect(mouth.isHeard[frame])
        }
    }
}

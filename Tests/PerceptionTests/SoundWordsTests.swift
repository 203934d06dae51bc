import Foundation
import Media
import Perception
import TestSupport
import Testing

@Suite struct SoundWordsTests {
    /// Syllables: tones with overtones that come and go.
    private func speech(frames: Int, seed: UInt64) -> [Float] {
        var random = SplitMix(state: seed)
        var samples: [Float] = []
        while samples.count < (frames + 2 * SoundWords.reach) * Grid.samplesPerFrame {
            let length = Int.random(in: 1600...4000, using: &random)
            let pitch = Double.random(in: 90...250, using: &random)
            let overtones = (0..<20).map { _ in Double.random(in: 0...1, using: &random) }
            for sample in 0..<length {
                let time = Double(sample) / Double(Grid.sampleRate)
                let swell = sin(.pi * Double(sample) / Double(length))
                let tone = overtones.enumerated().reduce(0) {
                    $0 + $1.element * sin(2 * .pi * pitch * Double($1.offset + 1) * time)
                }
                samples.append(Float(0.02 * swell * tone))
            }
        }
        return Array(samples.prefix((frames + 2 * SoundWords.reach) * Grid.samplesPerFrame))
    }

    private func distance(_ a: some Sequence<UInt32>, _ b: some Sequence<UInt32>) -> Double {
        let pairs = Array(zip(a, b))
        return pairs.reduce(0) { $0 + Double(($1.0 ^ $1.1).nonzeroBitCount) }
            / Double(32 * pairs.count)
    }

    @Test func wordsOutliveLoudnessAndNoise() {
        let samples = speech(frames: 200, seed: 1)
        let words = SoundWords().words(of: samples)
        #expect(words.count == 200)
        #expect(distance(words, SoundWords().words(of: samples.map { $0 * 3 })) < 0.01)
        var random = SplitMix(state: 2)
        let noisy = samples.map { $0 + Float.random(in: -0.005...0.005, using: &random) }
        #expect(distance(words, SoundWords().words(of: noisy)) < 0.15)
        let other = SoundWords().words(of: speech(frames: 200, seed: 3))
        #expect(distance(words, other) > 0.35)

        let details = SoundDetails().words(of: samples)
        #expect(details.count == 200)
        #expect(distance(details, SoundDetails().words(of: noisy)) < 0.15)
        // a copy that begins half a frame later
        let half = Array(samples[(Grid.samplesPerFrame / 2)...])
        #expect(distance(details, SoundDetails().words(of: half)) < 0.2)
        // half of the bits are those of silence between syllables
        #expect(distance(details, SoundDetails().words(of: speech(frames: 200, seed: 3))) > 0.3)
    }

    /// A word is the same wherever the sound that was decoded begins.
    @Test func wordsGoWithTheSoundAndNotWithWhereItBegins() {
        let samples = speech(frames: 700, seed: 4)
        let words = SoundWords().words(of: samples)
        let later = SoundWords().words(of: Array(samples[(130 * Grid.samplesPerFrame)...]))
        #expect(distance(words[130...], later) < 0.001)
        let details = SoundDetails().words(of: samples)
        let laterDetails = SoundDetails().words(of: Array(samples[(130 * Grid.samplesPerFrame)...]))
        #expect(distance(details[130...], laterDetails) < 0.001)
    }

    @Test func silenceHasNoWords() {
        let silence = [Float](repeating: 0, count: 64 * Grid.samplesPerFrame)
        #expect(SoundWords().words(of: silence) == [UInt32](repeating: 0, count: 28))
        #expect(SoundWords().words(of: []) == [])
        #expect(SoundDetails().words(of: silence) == [UInt32](repeating: 0, count: 28))
        #expect(SoundDetails().words(of: []) == [])
    }
}

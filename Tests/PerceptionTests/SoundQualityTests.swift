import Foundation
import Media
import Perception
import TestSupport
import Testing

@Suite struct SoundQualityTests {
    /// Twelve seconds of somebody who speaks.
    private static let speech = Result {
        try AudioReader.read(
            path: Place.package + "/.deps/samples/obama_speech.mp4", start: 0, count: 12 * 16000)
    }

    /// The same after a codec of so many bits, at another rate.
    private func coded(_ samples: [Float], _ options: String...) throws -> [Float] {
        try withFolder { folder in
            let bytes = samples.withUnsafeBytes { Data($0) }
            try bytes.write(to: URL(fileURLWithPath: folder + "/in.f32"))
            try run(
                ["ffmpeg", "-v", "error", "-f", "f32le", "-ar", "16000", "-ac", "1", "-i"]
                    + [folder + "/in.f32"] + options + [folder + "/out.mka"])
            return try AudioReader.read(
                path: folder + "/out.mka", start: 0, count: samples.count)
        }
    }

    @Test func levelsAreThoseOfTheSamples() {
        let sine = (0..<1280).map { 0.5 * Float(sin(2 * .pi * 500 * Double($0) / 16000)) }
        let levels = SoundQuality.levels(sine + [Float](repeating: 0, count: 640))
        #expect(abs(levels[0] - 20 * log10(0.5 / 2.0.squareRoot())) < 0.01)
        #expect(levels[1] == levels[0])
        #expect(levels[2] == -100)
    }

    /// At any level, and after a codec and another sampling rate.
    @Test(arguments: [1, 0.4])
    func clippingIsSeen(level: Float) throws {
        let clean = try Self.speech.get()
        let peak = clean.lazy.map(\.magnitude).max() ?? 1
        func clipped(_ gain: Float) throws -> Double {
            let samples = clean.map { max(-1, min(1, $0 / peak * gain)) * level }
            return try #require(
                SoundQuality.clipping(coded(samples, "-ar", "44100", "-c:a", "aac", "-b:a", "96k")))
        }
        let shares = try [0.9, 4, 8].map(clipped)
        #expect(shares[0] < 0.005)
        #expect(shares[1] > 0.01)
        #expect(shares[2] > shares[1])
        #expect(SoundQuality.clipping([Float](repeating: 0, count: 16000)) == nil)
    }

    @Test func bandwidthIsWhereSpeechEnds() throws {
        let clean = try Self.speech.get()
        let isSpeech = try VoiceActivity().isSpeech(clean)
        func bandwidth(_ samples: [Float]) throws -> Double {
            try #require(SoundQuality.bandwidth(samples, isSpeech: isSpeech))
        }
        let whole = try bandwidth(clean)
        #expect(whole > 5000)
        let telephone = try bandwidth(coded(clean, "-ar", "8000", "-c:a", "pcm_mulaw"))
        #expect((3000...4700).contains(telephone), "\(telephone)")
        #expect(
            SoundQuality.bandwidth(clean, isSpeech: isSpeech.map { _ in false }) == nil)
    }

    /// Chords of four seconds, played by something with six harmonics that fade.
    private func music(_ count: Int) -> [Float] {
        let chords = [[48.0, 60, 64, 67], [45, 57, 60, 64], [41, 53, 57, 60], [43, 55, 59, 62]]
        return (0..<count).map { index in
            let time = Double(index) / 16000
            let chord = chords[Int(time / 4) % 4]
            let sum = chord.reduce(0.0) { sum, note in
                let frequency = 440 * pow(2, (note - 69) / 12)
                return sum
                    + (1...6).reduce(0.0) {
                        $0 + sin(2 * .pi * frequency * Double($1) * time) * pow(0.5, Double($1))
                    }
            }
            return Float(sum * exp(-time.truncatingRemainder(dividingBy: 4) / 3))
        }
    }

    @Test func musicBehindSpeechIsHeard() throws {
        let clean = try Self.speech.get()
        let music = music(clean.count)
        func power(_ samples: [Float]) -> Float {
            samples.reduce(0) { $0 + $1 * $1 } / Float(samples.count)
        }
        func share(ratio: Float) throws -> Double {
            let gain = (power(clean) / power(music) / pow(10, ratio / 10)).squareRoot()
            return try #require(SteadyTones.share(zip(clean, music).map { $0 + gain * $1 }))
        }
        let alone = try #require(SteadyTones.share(clean))
        #expect(alone < 0.55, "\(alone)")
        #expect(try share(ratio: 10) > 0.55)
        #expect(try share(ratio: 0) > share(ratio: 10))
        var numbers = FixedNumbers(1)
        let noise = (0..<clean.count).map { _ in Float.random(in: -0.1...0.1, using: &numbers) }
        #expect(try #require(SteadyTones.share(noise)) < 0.3)
        #expect(SteadyTones.share([Float](clean[..<16000])) == nil)
    }
}

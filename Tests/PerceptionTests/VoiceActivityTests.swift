import Media
import Perception
import Testing

@MainActor @Suite struct VoiceActivityTests {
    /// Probabilities that silero-vad's own network gives: Fixtures/make_fixtures.py.
    private struct Speech: Decodable {
        let file: String
        let probabilities: [Float]
    }

    private func samples(_ file: String, seconds: Double) throws -> [Float] {
        try AudioReader.read(path: Place.sample(file), start: 0, count: Int(seconds * 16_000))
    }

    @Test func agreesWithSilero() throws {
        let reference: [Speech] = Reference.load("speech.json")
        let speech = try #require(reference.first)
        let samples = try samples(speech.file, seconds: Double(speech.probabilities.count) * 0.032)
        let found = try Networks.voice.get().probabilities(samples)
        #expect(found.count == speech.probabilities.count)
        let errors = zip(found, speech.probabilities).map { abs($0 - $1) }
        #expect(errors.reduce(0, +) / Float(errors.count) < 0.02)
        let agree = zip(found, speech.probabilities).count { ($0 > 0.5) == ($1 > 0.5) }
        #expect(Double(agree) > 0.97 * Double(found.count))
    }

    @Test func aSpeakerSpeaksMostOfTheTime() throws {
        let speech = try Networks.voice.get().isSpeech(samples("obama_speech.mp4", seconds: 8.4))
        #expect(speech.count == 210)
        let share = Double(speech.count { $0 }) / 210
        #expect(share > 0.5 && share < 0.95)
    }

    @Test func silenceAndNoiseAreNoSpeech() throws {
        let network = try Networks.voice.get()
        #expect(try !network.isSpeech([Float](repeating: 0, count: 32_000)).contains(true))
        var state: UInt32 = 1
        let hiss = (0..<32_000).map { _ -> Float in
            state = state &* 1_664_525 &+ 1_013_904_223
            return (Float(state >> 8) / Float(1 << 24) - 0.5) * 0.02
        }
        #expect(try !network.isSpeech(hiss).contains(true))
    }

    @Test(arguments: [0, 1, 511, 512, 513, 639, 640, 1279, 1280, 16_000])
    func countsWindowsAndFrames(count: Int) throws {
        let network = try Networks.voice.get()
        let samples = [Float](repeating: 0, count: count)
        #expect(try network.probabilities(samples).count == (count + 511) / 512)
        #expect(try network.isSpeech(samples).count == count / 640)
    }

    /// Nothing of one recording is left for the next.
    @Test func everyRecordingStartsAnew() throws {
        let network = try Networks.voice.get()
        let speech = try samples("obama_speech.mp4", seconds: 3)
        let first = try network.probabilities(speech)
        _ = try network.probabilities([Float](repeating: 0.1, count: 5000))
        #expect(try network.probabilities(speech) == first)
    }

    /// Speech begins above 0.5 and goes on down to 0.35; a frame is what its middle is.
    @Test func framesFollowTheProbabilities() throws {
        let network = try Networks.voice.get()
        let samples = try samples("obama_speech.mp4", seconds: 8)
        let probabilities = try network.probabilities(samples)
        var speaking = false
        let windows = probabilities.map { value in
            speaking = value >= (speaking ? 0.35 : 0.5)
            return speaking
        }
        let expected = (0..<200).map { windows[($0 * 640 + 320) / 512] }
        #expect(try network.isSpeech(samples) == expected)
        #expect(Set(expected).count == 2)
    }
}

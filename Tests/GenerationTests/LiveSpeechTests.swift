import Generation
import Speech
import Testing
import Torch

@Suite struct LiveSpeechTests {
    /// Says of each frame its mean, and that of the frame behind it.
    private final class Means: SpeechEncoder {
        let layers = 1, channels = 2
        var leastVariance = 0.0
        /// What it was told of the loudness.
        private(set) var told: [Double] = []

        func encode(_ recording: Recording, _ body: (Tensor) throws -> Void) throws {
            told.append(leastVariance)
            let samples = try recording.samples()
            let means = stride(from: 0, to: samples.count, by: 640).map {
                samples[$0..<min(samples.count, $0 + 640)].reduce(0, +) / 640
            }
            let behind = means.dropFirst() + [0]
            try body(
                Tensor(zip(means, behind).flatMap { [$0, $1] }, shape: [means.count, 1, 2]))
        }
    }

    /// Each frame's samples are its number.
    private func samples(_ count: Int) -> [Float] { (0..<count).map { Float($0 / 640) } }

    @Test(
        arguments: [1, 640, 640 * 12, 640 * 15, 640 * 15 + 1, 640 * 40 - 7, 640 * 600 + 320],
        [100, 640, 9000, 1_000_000])
    func clipsHearWhatTheyWouldInAWholeRecordingHoweverItComes(count: Int, piece: Int) throws {
        let all = samples(count)
        let frames = Recording.frames(samples: count)
        var clips = SpeechClips(frames: 12, total: frames)
        var expected: [Tensor] = []
        try Means().encode(Recording(all)) { try clips.add($0) { expected.append($0) } }

        let encoder = Means()
        var live = LiveSpeech(frames: 12, encoder: encoder)
        var made: [(windows: Tensor, count: Int)] = []
        for start in stride(from: 0, to: count, by: piece) {
            let end = min(count, start + piece)
            try live.hear(Array(all[start..<end])) { made.append(($0, $1)) }
            // A clip waits for its frames, and three more.
            let whole = end / 640
            #expect(made.count == max(0, (whole - 3) / 12))
        }
        try live.hear([], isEnd: true) { made.append(($0, $1)) }
        #expect(made.count == expected.count)
        #expect(made.reduce(0) { $0 + $1.count } == frames)
        for (clip, windows) in zip(made, expected) { #expect(clip.windows.isEqual(to: windows)) }
        #expect(encoder.leastVariance == 0)
    }

    @Test func aSilenceIsNotMadeAsLoudAsSpeech() throws {
        let encoder = Means()
        var live = LiveSpeech(frames: 12, encoder: encoder)
        let noise = (0..<(640 * 15)).map { $0 % 2 == 0 ? Float(1e-4) : -1e-4 }
        try live.hear(noise) { _, _ in }
        #expect(encoder.told == [1e-5])
        let loud = (0..<(640 * 12)).map { $0 % 2 == 0 ? Float(0.5) : -0.5 }
        try live.hear(loud) { _, _ in }
        // Longer than it remembers.
        for _ in 0..<60 { try live.hear(Array(noise.prefix(640 * 12))) { _, _ in } }
        #expect((encoder.told.last ?? 0) > 0.01)
    }
}

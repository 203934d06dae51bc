import Generation
import Speech
import Testing
import Torch

@Suite struct SpeechClipsTests {
    /// Features `[T, 2, 3]` whose numbers say where they stand.
    private func features(_ frames: Int) -> Tensor {
        Tensor((0..<(frames * 6)).map { Float($0) }, shape: [frames, 2, 3])
    }

    @Test(arguments: [1, 11, 12, 13, 14, 31, 36, 100], [1, 5, 12, 250])
    func clipsSeeTheWindowsOfTheWholeRecordingHoweverItComes(total: Int, piece: Int) throws {
        let all = features(total)
        var clips = SpeechClips(frames: 12, total: total)
        var made: [Tensor] = []
        for start in stride(from: 0, to: total, by: piece) {
            try clips.add(all[start..<min(total, start + piece)]) { made.append($0) }
        }
        // The last clip is whole: behind the end the last frame stands.
        let count = (total + 11) / 12
        let last = all[(total - 1)..<total].expanded([count * 12 - total + 2, 2, 3])
        let windows = SpeechWindows.windows(concatenated([all, last], along: 0))
        #expect(made.count == count)
        for (number, clip) in made.enumerated() {
            #expect(clip.isEqual(to: windows[(12 * number)..<(12 * number + 12)]))
        }
    }
}

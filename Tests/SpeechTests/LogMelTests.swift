import Errors
import Speech
import Testing
import Torch

@Suite struct LogMelTests {
    @Test func spectraAgreeWithTheReference() throws {
        let features = try LogMel().encode(try speech())
        let expected = try tensor("log_mel.npy")
        #expect(features.shape == expected.shape)
        #expect((features - expected).abs().amax().scalar < 2e-3)
        #expect(relativeError(features, expected) < 1e-5)
    }

    @Test func loudnessDoesNotMatter() throws {
        let quiet = try LogMel().encode(Recording(try speechSamples().map { $0 / 8 }))
        #expect(relativeError(quiet, try LogMel().encode(try speech())) < 2e-3)
    }

    @Test(arguments: [1, 640, 641, 16_000])
    func framesAreAsManyAsTheSoundLasts(samples: Int) throws {
        let features = try LogMel().encode(Recording(Array(try speechSamples()[..<samples])))
        #expect(features.shape == [(samples + 639) / 640, 1, 320])
        #expect(features.isFinite)
    }

    @Test func nothingIsSaid() {
        let error = #expect(throws: LoopyError.self) { try LogMel().encode(Recording([])) }
        #expect(error?.category == .unsuitable)
    }
}

/// Recordings that end within a frame are heard as clips are, which have whole frames.
@Suite struct WholeFramesTests {
    private func encoders() throws -> [any SpeechEncoder] {
        let networks = try ["base", "large"].map { try Wav2Vec2(folder: fixture($0)) }
        return [LogMel()]
            + networks.flatMap { network in
                Wav2Vec2Encoder.Alignment.allCases.flatMap { alignment in
                    // As one chunk, and as several.
                    [60, 1].map { whole in
                        Wav2Vec2Encoder(
                            network, alignment: alignment,
                            chunks: .init(whole: whole, length: 0.8, context: 0.4))
                    }
                }
            }
    }

    @Test(arguments: [0, 1, 240, 319, 320, 321, 639])
    func zerosStandWhereAFrameWasOnlyBegun(missing: Int) throws {
        let frames = 50
        let samples = Array(try speechSamples()[..<(640 * frames - missing)])
        let padded = Recording(samples + [Float](repeating: 0, count: missing))
        for encoder in try encoders() {
            let features = try encoder.encode(Recording(samples))
            #expect(features.shape == [frames, encoder.layers, encoder.channels])
            #expect(features.isEqual(to: try encoder.encode(padded)))
        }
    }

    /// However much is asked for at a time, and behind the end nothing.
    @Test(arguments: [1, 7, 640, 16_000])
    func aReadingIsTheSameInAnyPieces(most: Int) throws {
        let samples = Array(try speechSamples()[..<2000])
        let pieces = Recording {
            var rest = samples[...]
            return { count in
                defer { rest = rest.dropFirst(min(count, most)) }
                return Array(rest.prefix(min(count, most)))
            }
        }
        let features = try LogMel().encode(pieces)
        #expect(features.shape == [4, 1, 320])
        #expect(features.isEqual(to: try LogMel().encode(Recording(samples))))
    }
}

@Suite struct SpeechWindowsTests {
    @Test func windowsAreClampedAtTheEnds() {
        let features = Tensor.arange(0..<6, type: .float32).reshaped(6, 1, 1)
        let windows = SpeechWindows.windows(features)
        #expect(windows.shape == [6, 5, 1, 1])
        #expect(windows[0].array() == [0, 0, 0, 1, 2] as [Float])
        #expect(windows[3].array() == [1, 2, 3, 4, 5] as [Float])
        #expect(windows[5].array() == [3, 4, 5, 5, 5] as [Float])
        let some = SpeechWindows.windows(features, frames: 4..<6)
        #expect(some.isEqual(to: windows[4..<6]))
    }
}

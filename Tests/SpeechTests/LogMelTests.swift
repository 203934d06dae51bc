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

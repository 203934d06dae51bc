import Media
import Torch

/// Words that tell one recording from any other, one a frame of 25 a second: 32 bits each, of which a sixth or less
/// differ after the sound was encoded again, and a quarter or more where one person says the same once more.
///
/// The words are those of Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR 2002): the signs
/// of what the energies of neighbouring bands change by from one frame to the next. The bands are on the mel scale,
/// and a spectrum covers a quarter of a second, so that it does not matter where in a frame a copy begins.
///
/// `T` frames, `B` bands.
package struct SoundDetails {
    private static let transformLength = 4096
    private static let bands = 33, lowest = 200.0, highest = 3500.0
    /// What lies so far below the loudest of the second (in natural logarithms: 39 dB) is silence, whatever noise
    /// fills it; the frames before and after that the loudest is looked for in.
    private static let range = 9.0, around = 12
    /// The least power, and the one that can be heard: of a sine wave of -80 dB.
    private static let floor = 1e-7, audible: Float = 1e-2
    /// The frames that are computed at a time.
    private static let block = 500

    private let window: Tensor, filters: Tensor

    package init() {
        window = MelBands.window(Self.transformLength)
        filters = MelBands.filters(
            Self.bands, from: Self.lowest, to: Self.highest, transformLength: Self.transformLength)
    }

    /// The words of some frames; 0 where there is nothing to be heard.
    ///
    /// - Parameter samples: 16 kHz: the sound of the frames, and of `SoundWords.reach` more before and after them.
    package func words(of samples: [Float]) -> [UInt32] {
        let frames = samples.count / Grid.samplesPerFrame - 2 * SoundWords.reach
        return stride(from: 0, to: max(0, frames), by: Self.block).flatMap { start in
            let end = min(frames, start + Self.block)
            let first = start * Grid.samplesPerFrame
            let last = (end + 2 * SoundWords.reach) * Grid.samplesPerFrame
            return withoutGradient {
                words(of: Tensor(Array(samples[first..<last])), frames: end - start)
            }
        }
    }

    private func words(of samples: Tensor, frames: Int) -> [UInt32] {
        let (length, around) = (Self.transformLength, Self.around)
        // The spectra of the frames, of one more before them, and of those that the loudest is looked for in.
        let first =
            (SoundWords.reach - around - 1) * Grid.samplesPerFrame
            + (Grid.samplesPerFrame - length) / 2
        let count = frames + 2 * around + 1
        let end = first + (count - 1) * Grid.samplesPerFrame + length
        let waves =
            samples[first..<end].unfold(along: 0, size: length, step: Grid.samplesPerFrame) * window
        let power = powerSpectrum(waves, length: length).matmul(filters)
        let loudness = power.clamped(Self.floor).log()
        // [T + 1, 1], and [T + 1, B] relative to it
        let loudest = loudness.amax([1]).unfold(along: 0, size: 2 * around + 1, step: 1)
            .amax([1], keepDim: true)
        let heard = (loudness[around..<(around + frames + 1)] - loudest).clamped(-Self.range)
        let steps = heard[0..., 0..<(Self.bands - 1)] - heard[0..., 1..<Self.bands]
        let changes = steps[1..<(frames + 1)] - steps[0..<frames]
        let levels = loudest.exp().array(of: Float.self).dropFirst()
        return zip(levels, MelBands.words(changes)).map { $0 < Self.audible ? 0 : $1 }
    }
}

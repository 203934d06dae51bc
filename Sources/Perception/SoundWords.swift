import Foundation
import Media
import Torch

/// Words by which a sound is found among others, one a frame of 25 a second: 32 bits each, of which most are the
/// same after the sound was encoded again, made louder, or got noise.
///
/// A bit is the sign of one of the lowest cosine coefficients, over frequency and time, of the second around a
/// frame. Of copies one word in five or so comes out whole, so that equal words alone find them. They are the same,
/// too, where one person says the same words once more: `SoundDetails` tells.
///
/// `T` frames, `S` spectra, `B` bands.
package struct SoundWords {
    /// The frames of sound that must be given before the first frame and behind the last.
    package static let reach = 18

    /// Spectra of 32 ms, every 20 ms; 60 of them make a word.
    private static let transformLength = 512, hop = Grid.samplesPerFrame / 2, spectra = 60
    private static let bands = 16, lowest = 150.0, highest = 5500.0
    /// The coefficients along frequency and along time. Those that are constant in time are the speaker's and
    /// the microphone's, and not among them.
    private static let alongFrequency = 0..<8, alongTime = 1...4
    /// What lies so far below the loudest of the second (in natural logarithms: 26 dB) is silence, whatever
    /// noise fills it.
    private static let range = 6.0
    /// The power below which all is silence: of a sine wave of -80 dB, about.
    private static let floor = 1e-6
    /// The least length of a word's coefficients: where nothing changes, signs mean nothing.
    private static let leastChange: Float = 1
    /// The frames that are computed at a time.
    private static let block = 500

    /// The window of a spectrum; mel bands `[transformLength / 2 + 1, B]`; cosines `[B * spectra, 32]`.
    private let window: Tensor, filters: Tensor, basis: Tensor

    package init() {
        window = MelBands.window(Self.transformLength)
        filters = MelBands.filters(
            Self.bands, from: Self.lowest, to: Self.highest, transformLength: Self.transformLength)
        basis = Self.basis()
    }

    /// The words of some frames; 0 where there is nothing to be heard.
    ///
    /// - Parameter samples: 16 kHz: the sound of the frames, and of `reach` more before and after them.
    package func words(of samples: [Float]) -> [UInt32] {
        let reach = Self.reach
        let frames = samples.count / Grid.samplesPerFrame - 2 * reach
        return stride(from: 0, to: max(0, frames), by: Self.block).flatMap { start in
            let end = min(frames, start + Self.block)
            let first = start * Grid.samplesPerFrame
            let last = (end + 2 * reach) * Grid.samplesPerFrame
            return withoutGradient { words(of: Tensor(Array(samples[first..<last]))) }
        }
    }

    private func words(of samples: Tensor) -> [UInt32] {
        let (hop, spectra, reach) = (Self.hop, Self.spectra, Self.reach)
        let length = Self.transformLength
        // [S, B]
        let waves = samples.unfold(along: 0, size: length, step: hop) * window
        let power = powerSpectrum(waves, length: length).matmul(filters)
        let loudness = power.clamped(Self.floor).log()
        // [T, B, spectra]: the middle of a frame is that of its spectra
        let middle = (reach * Grid.samplesPerFrame + Grid.samplesPerFrame / 2) / hop
        let lead = middle - spectra / 2
        let frames = samples.length(0) / Grid.samplesPerFrame - 2 * reach
        let wanted = loudness[lead..<(lead + (frames - 1) * 2 + spectra)]
        let seconds = wanted.unfold(along: 0, size: spectra, step: 2)
        let heard = (seconds - seconds.amax([1, 2], keepDim: true)).clamped(-Self.range)
        let coefficients = heard.reshaped(frames, Self.bands * spectra).matmul(basis)
        let changes = coefficients.norm([1]).array(of: Float.self)
        return zip(changes, MelBands.words(coefficients)).map { $0 < Self.leastChange ? 0 : $1 }
    }

    /// Cosines over frequency and time, faded out at the ends of the second: `[B * spectra, 32]`.
    private static func basis() -> Tensor {
        func normalised(_ values: [Double]) -> [Double] {
            let length = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
            return values.map { $0 / length }
        }
        let frequencies = alongFrequency.map { u in
            normalised(
                (0..<bands).map { cos(.pi * Double(u) * (Double($0) + 0.5) / Double(bands)) })
        }
        let fade = (0..<spectra).map { sin(.pi * (Double($0) + 0.5) / Double(spectra)) }
        let times = alongTime.map { v in
            let wave = (0..<spectra).map {
                cos(.pi * Double(v) * (Double($0) + 0.5) / Double(spectra))
            }
            // What does not change has no part in any coefficient.
            let mean = zip(fade, wave).reduce(0) { $0 + $1.0 * $1.1 } / fade.reduce(0, +)
            return normalised(zip(fade, wave).map { $0 * ($1 - mean) })
        }
        var values: [Float] = []
        for band in 0..<bands {
            for time in 0..<spectra {
                for wave in times {
                    for frequency in frequencies {
                        values.append(Float(frequency[band] * wave[time]))
                    }
                }
            }
        }
        return Tensor(values, shape: [bands * spectra, 32])
    }
}

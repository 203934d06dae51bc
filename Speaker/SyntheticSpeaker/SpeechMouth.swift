import Foundation
import Speech
import Torch

/// What a mouth does while a recording is spoken: a function of the recording's log-mel spectra alone.
///
/// A frame's values are means over twenty spectra, 200 ms, with Hann weights; nothing of it is random. Lips set
/// out before they are heard: the middle of the 200 ms is 50 ms after that of the frame, so that `MouthSync`,
/// which is trained on people, finds no offset.
public struct SpeechMouth: Sendable {
    /// How far the mouth is open in each frame: 0 in silence, 1 in loud open vowels.
    public let opening: [Double]
    /// How wide the mouth is in each frame: -1 rounded as for "oo", 0 at rest, 1 spread as for "ee".
    public let spread: [Double]
    /// Whether a voice is heard in each frame.
    public let isHeard: [Bool]

    public var frames: Int { opening.count }

    /// - Parameter samples: 16 kHz, mono.
    /// - Throws: `LoopyError` `.unsuitable` where there are none.
    public init(_ samples: [Float]) throws {
        var spectra: [Spectrum] = []
        try LogMel().encode(Recording(samples)) { rows in
            let values = rows.array(of: Float.self)
            for start in stride(from: 0, to: values.count, by: Spectrum.bands) {
                spectra.append(Spectrum(values[start..<(start + Spectrum.bands)]))
            }
        }
        let count = spectra.count / Self.spectraPerFrame
        opening = Self.smoothed(spectra.map(\.opening), frames: count, lead: Self.lead)
        spread = Self.smoothed(spectra.map(\.spread), frames: count, lead: Self.lead)
        isHeard = Self.smoothed(spectra.map(\.loudness), frames: count).map { $0 > 0.1 }
    }

    private static let spectraPerFrame = 4
    /// The frames on either side of the middle of what a frame's values depend on.
    private static let reach = 2
    /// The spectra by which the lips are ahead of the sound.
    private static let lead = 5

    /// Hann-weighted means over five frames of spectra; beyond the ends is silence.
    private static func smoothed(
        _ values: [Double], frames: Int, lead: Int = 0
    ) -> [Double] {
        let width = (2 * reach + 1) * spectraPerFrame
        let weights = (0..<width).map { index in
            let phase = (Double(index) + 0.5) / Double(width) - 0.5
            return pow(cos(.pi * phase), 2) * 2 / Double(width)
        }
        return (0..<frames).map { frame in
            let first = (frame - reach) * spectraPerFrame + lead
            return weights.indices.reduce(0) { sum, index in
                let at = first + index
                return values.indices.contains(at) ? sum + weights[index] * values[at] : sum
            }
        }
    }
}

/// One log-mel spectrum, and what a mouth does that makes such a sound.
private struct Spectrum {
    static let bands = 80

    /// How loud the voice is: 0 for silence, 1 for a loud vowel.
    let loudness: Double
    let opening: Double
    let spread: Double

    init(_ logMel: ArraySlice<Float>) {
        let densities = logMel.map { exp(Double($0)) }
        /// The power from one frequency to another, in decibels over a recording's mean power.
        func level(_ hertz: ClosedRange<Double>) -> Double {
            var sum = 1e-3
            for band in 0..<Self.bands where hertz.contains(Self.centres[band]) {
                sum += densities[band] * Self.widths[band]
            }
            return 10 * log10(sum / Self.meanPower)
        }
        // Hiss is louder above: a voice has formants below 3.5 kHz.
        let voice = min(1, max(0, (level(250...3500) + 15) / 18))
        loudness = voice * voice * (3 - 2 * voice)
        // The more open the mouth, the higher the first formant.
        let openness = 1 / (1 + exp(-(level(550...1300) - level(200...500) + 6) / 4))
        opening = loudness * (0.3 + 0.7 * openness)
        // The second formant is high for spread lips, and low for rounded ones.
        spread = loudness * tanh((level(1700...3200) - level(300...1100) + 12) / 9)
    }

    /// The power of a recording of variance 1 in a window of `LogMel`, over all frequencies: half the
    /// window's length times the sum of its squares.
    private static let meanPower = 400.0 * 150 / 2

    /// Frequencies of Slaney's scale, at the bands' edges.
    private static let edges: [Double] = {
        func hertz(_ mel: Double) -> Double {
            mel < 15 ? mel * 200 / 3 : 1000 * exp((mel - 15) * log(6.4) / 27)
        }
        let top = 15 + log(8.0) * 27 / log(6.4)
        return (0..<(bands + 2)).map { hertz(top * Double($0) / Double(bands + 1)) }
    }()
    private static let centres = (0..<bands).map { edges[$0 + 1] }
    /// A triangle's width at half its height.
    private static let widths = (0..<bands).map { (edges[$0 + 2] - edges[$0]) / 2 }
}

import Foundation
import Torch

/// How much of a sound is tones that keep their pitch: instruments do, for longer than a voice.
///
/// Reference: Seyerlehner, Pohle, Schedl and Widmer, "Automatic Music Detection in Television Productions",
/// DAFx 2007 (continuous frequency activation): in blocks of 2.6 s, how often each frequency stands out
/// from those about it, and the five sharpest peaks of that. It hears music behind speech; drums alone are
/// not heard, and a hum counts as music.
package enum SteadyTones {
    private static let window = 1024, hop = 512
    /// Bins of 15.6 Hz: up to 6 kHz.
    private static let bins = 384
    /// The lowest bin that counts: below 47 Hz there is no tone.
    private static let lowest = 3
    /// The bins about one that it has to stand out from.
    private static let neighbours = 21
    /// How far a bin stands out from the mean of its neighbours, in dB.
    private static let prominence: Float = 3
    /// Spectra in a block, of which each overlaps the next by half.
    private static let block = 80
    private static let peaks = 5

    /// The mean over all blocks of the sharpness of the five sharpest peaks, 0...1; nil of less than a block.
    ///
    /// - Parameter samples: 16 kHz mono, -1...1.
    package static func share(_ samples: [Float]) -> Double? {
        let count = samples.count < window ? 0 : (samples.count - window) / hop + 1
        guard count >= block else { return nil }
        let standsOut = activations(samples, count: count)
        return stride(from: 0, through: count - block, by: block / 2).map { start in
            let activation = (0..<bins).map { bin in
                (start..<(start + block)).reduce(Float(0)) { $0 + standsOut[$1 * bins + bin] }
                    / Float(block)
            }
            return sharpness(activation)
        }.mean
    }

    /// Whether each bin of each spectrum stands out, 1 or 0: `[count, bins]`.
    private static func activations(_ samples: [Float], count: Int) -> [Float] {
        var result = [Float](repeating: 0, count: count * bins)
        // A minute at a time: spectra take much memory.
        for first in stride(from: 0, to: count, by: 2000) {
            let spectra = min(count, first + 2000) - first
            let part = samples[(first * hop)..<((first + spectra - 1) * hop + window)]
            let power = powerSpectrum(
                Tensor(Array(part)).unfold(along: 0, size: window, step: hop)
                    * SoundQuality.hann(window), length: window)
            let decibels = (power[.all, 0..<bins] + 1e-9).log().array(of: Float.self)
            let decibel = Float(log(10.0) / 10)
            for row in 0..<spectra {
                let start = row * bins
                var sum = decibels[start..<(start + neighbours / 2)].reduce(0, +)
                var inside = neighbours / 2
                for bin in 0..<bins {
                    let entering = bin + neighbours / 2, leaving = bin - neighbours / 2 - 1
                    if entering < bins {
                        (sum, inside) = (sum + decibels[start + entering], inside + 1)
                    }
                    if leaving >= 0 {
                        (sum, inside) = (sum - decibels[start + leaving], inside - 1)
                    }
                    let excess = decibels[start + bin] - sum / Float(inside)
                    if excess > prominence * decibel { result[(first + row) * bins + bin] = 1 }
                }
            }
        }
        return result
    }

    /// The mean height of the highest peaks over the higher of the valleys beside each.
    private static func sharpness(_ activation: [Float]) -> Double {
        var heights: [Float] = []
        for bin in lowest..<(bins - 1)
        where activation[bin] >= activation[bin - 1] && activation[bin] > activation[bin + 1] {
            var left = bin, right = bin
            while left > 0, activation[left - 1] <= activation[left] { left -= 1 }
            while right < bins - 1, activation[right + 1] <= activation[right] { right += 1 }
            heights.append(activation[bin] - max(activation[left], activation[right]))
        }
        return Double(heights.sorted(by: >).prefix(peaks).reduce(0, +)) / Double(peaks)
    }
}

extension [Double] {
    fileprivate var mean: Double? { isEmpty ? nil : reduce(0, +) / Double(count) }
}

import Foundation
import Torch

/// Mel-frequency cepstral coefficients as SyncNet was trained on them: python_speech_features' `mfcc`
/// with its defaults.
public enum MFCC {
    /// The number of coefficients C of a step; there are 100 steps a second.
    public static let coefficients = 13
    private static let windowLength = 400, hop = 160, transformLength = 512
    private static let filterCount = 26
    private static let preEmphasis = 0.97
    private static let lifter = 22.0

    /// Computes the coefficients of a recording.
    ///
    /// - Parameter samples: 16 kHz, whole numbers of 16 bits, unscaled.
    /// - Returns: float32 `[C, T]`.
    public static func features(_ samples: [Int16]) -> Tensor {
        let signal = Tensor(samples.map(Double.init))
        let emphasised = concatenated(
            [signal[0..<1], signal[1...] - signal[0..<(samples.count - 1)] * preEmphasis], along: 0)

        // Rectangular windows; the last one is filled up with zeros.
        let steps = 1 + max(0, (samples.count - windowLength + hop - 1) / hop)
        let padding = (steps - 1) * hop + windowLength - samples.count
        let windows = pad(emphasised, [0, max(0, padding)])
            .unfold(along: 0, size: windowLength, step: hop)[0..<steps]
        let power = powerSpectrum(windows, length: transformLength) / Double(transformLength)
        let energy = withoutZeros(power.sum([1]))

        let bands = withoutZeros(power.matmul(filters)).log()
        let cepstrum = bands.matmul(cosines)
        let result = concatenated(
            [energy.log().unsqueezed(1), cepstrum[.all, 1..<coefficients]], along: 1)
        return result.transposed(0, 1).to(.float32)
    }

    private static func withoutZeros(_ x: Tensor) -> Tensor {
        x.where(x > 0.0, else: x.onesLike() * Double.ulpOfOne)
    }

    /// The triangles between whole bins: `[transformLength / 2 + 1, filterCount]`.
    private static var filters: Tensor {
        let top = mel(8000)
        let bins = (0..<(filterCount + 2)).map { index -> Int in
            let hertz = hertz(top * Double(index) / Double(filterCount + 1))
            return Int(Double(transformLength + 1) * hertz / 16000)
        }
        var values = [Double](repeating: 0, count: (transformLength / 2 + 1) * filterCount)
        for filter in 0..<filterCount {
            let (left, centre, right) = (bins[filter], bins[filter + 1], bins[filter + 2])
            for bin in left..<centre {
                values[bin * filterCount + filter] = Double(bin - left) / Double(centre - left)
            }
            for bin in centre..<right {
                values[bin * filterCount + filter] = Double(right - bin) / Double(right - centre)
            }
        }
        return Tensor(values, shape: [transformLength / 2 + 1, filterCount])
    }

    /// The orthonormal DCT-II and the lifter: `[filterCount, coefficients]`.
    private static var cosines: Tensor {
        var values: [Double] = []
        for band in 0..<filterCount {
            for order in 0..<coefficients {
                let angle = Double.pi * Double(order) * (2 * Double(band) + 1)
                let scale = (order == 0 ? 1.0 : 2.0) / Double(filterCount)
                let lift = 1 + lifter / 2 * sin(Double.pi * Double(order) / lifter)
                values.append(
                    cos(angle / (2 * Double(filterCount))) * scale.squareRoot() * lift)
            }
        }
        return Tensor(values, shape: [filterCount, coefficients])
    }

    private static func mel(_ hertz: Double) -> Double { 2595 * log10(1 + hertz / 700) }

    private static func hertz(_ mel: Double) -> Double { 700 * (pow(10, mel / 2595) - 1) }
}

import Foundation
import Settings
import Torch

/// PSNR: the peak signal-to-noise ratio of a picture and its reference, in dB.
package struct PeakSignalToNoise: EvaluationMetric {
    static let name = "psnr"
    static let summary = "peak signal-to-noise ratio of pictures and their references, in dB."
    static let network = NetworkNeed.builtIn
    static let version = 1
    /// The ratio of pictures whose every pixel is the same, as several published scripts have it:
    /// infinity has no mean.
    private static let highest = 100.0

    init(_ setup: MetricSetup<NoSettings>) {}

    static func figures(_ setup: MetricSetup<NoSettings>, _ metric: Self?) -> [MetricFigure] {
        [
            MetricFigure(
                name: name, merging: .meanOfPairs,
                protocolName: "8-bit RGB at 25 fps, at most \(Int(highest)) dB a frame; "
                    + "mean of frames, then of clips")
        ]
    }

    var input: MetricInput { .pairs(Self.ratio) }

    /// Peak signal-to-noise ratio in dB, over the three colours together; at most 100.
    ///
    /// - Parameters: uint8 `[3, H, W]`.
    package static func ratio(_ a: Tensor, _ b: Tensor) -> Double {
        let error = (a.to(.float64) - b.to(.float64)).square().mean().scalar
        return min(highest, 10 * log10(255 * 255 / error))
    }
}

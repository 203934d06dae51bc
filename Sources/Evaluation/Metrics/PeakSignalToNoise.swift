import Foundation
import Settings
import Torch

/// PSNR: the peak signal-to-noise ratio of a picture and its reference, in dB; and beside it that of the
/// references' mean picture, which a model has to exceed to have made more than a still.
package struct PeakSignalToNoise: EvaluationMetric {
    static let name = "psnr"
    static let summary =
        "peak signal-to-noise ratio of pictures and their references, in dB, and the same for the mean "
        + "of the references instead of pictures."
    static let network = NetworkNeed.builtIn
    static let version = 2
    /// The ratio of pictures whose every pixel is the same, as several published scripts have it:
    /// infinity has no mean.
    private static let highest = 100.0

    init(_ setup: MetricSetup<NoSettings>) {}

    static func figures(_ setup: MetricSetup<NoSettings>, _ metric: Self?) -> [MetricFigure] {
        let pictures = "8-bit RGB at 25 fps, at most \(Int(highest)) dB a frame; "
        return [
            MetricFigure(
                name: name, merging: .meanOfPairs,
                protocolName: pictures + "mean of frames, then of clips"),
            MetricFigure(
                name: Measurement.meanFigure, merging: .meanOfPairs,
                protocolName: pictures
                    + "the mean of a clip's references in place of its pictures; "
                    + "mean of frames, then of clips"),
        ]
    }

    var input: MetricInput { .pairs { Measurement() } }

    private final class Measurement: PairMeasurement {
        static let meanFigure = "psnr_mean_frame"

        private var sum: Tensor?
        private var count = 0
        private var ratios: [Double] = []
        private var meanRatios: [Double] = []

        var looksAhead: Bool { true }

        func lookAhead(_ reference: Tensor) {
            let picture = reference.to(.float64)
            // Pictures of other sizes are not compared in the end.
            if let sum, sum.shape != picture.shape { return }
            sum = sum.map { $0 + picture } ?? picture
            count += 1
        }

        func see(_ picture: Tensor, _ reference: Tensor) {
            ratios.append(PeakSignalToNoise.ratio(picture, reference))
            if let sum, sum.shape == reference.shape {
                meanRatios.append(PeakSignalToNoise.ratio(sum / Double(count), reference))
            }
        }

        func findings(frames: Int) -> MetricFindings {
            var findings = MetricFindings()
            findings.set(PeakSignalToNoise.name, mean: ratios, frames: ratios.count)
            findings.set(Self.meanFigure, mean: meanRatios, frames: meanRatios.count)
            return findings
        }
    }

    /// Peak signal-to-noise ratio in dB, over the three colours together; at most 100.
    ///
    /// - Parameters: `[3, H, W]`, 0...255.
    package static func ratio(_ a: Tensor, _ b: Tensor) -> Double {
        let error = (a.to(.float64) - b.to(.float64)).square().mean().scalar
        return min(highest, 10 * log10(255 * 255 / error))
    }
}

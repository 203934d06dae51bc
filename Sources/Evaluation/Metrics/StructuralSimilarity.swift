import Errors
import Foundation
import Settings
import Torch

/// SSIM (Wang et al. 2004): the structural similarity of a picture and its reference.
package struct StructuralSimilarity: EvaluationMetric {
    static let name = "ssim"
    static let summary = "structural similarity of pictures and their references."
    static let network = NetworkNeed.builtIn
    static let version = 2
    /// The side of the Gaussian window, in pixels.
    private static let window = 11

    init(_ setup: MetricSetup<NoSettings>) {}

    static func figures(_ setup: MetricSetup<NoSettings>, _ metric: Self?) -> [MetricFigure] {
        [
            MetricFigure(
                name: name, merging: .meanOfPairs,
                protocolName:
                    "8-bit RGB at 25 fps, Gaussian window of \(window) pixels (1.5), mean of "
                    + "colours; mean of frames, then of clips")
        ]
    }

    var input: MetricInput {
        .meanOfPairs(Self.name) { picture, reference in
            guard min(picture.length(1), picture.length(2)) >= Self.window else {
                throw LoopyError(.unsuitable, "is smaller than SSIM's window")
            }
            return Self.similarity(picture, reference)
        }
    }

    /// The numbers of scikit-image's `structural_similarity(a, b, channel_axis=0,
    /// gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)`, which leaves
    /// the five outermost pixels out: covariances divided by the window's weight, the mean over the
    /// three colours.
    ///
    /// - Parameters: uint8 `[3, H, W]`, at least 11 pixels along each side.
    package static func similarity(_ a: Tensor, _ b: Tensor) -> Double {
        let x = a.to(.float64).unsqueezed(1), y = b.to(.float64).unsqueezed(1)
        // One pass over all that is averaged: [15, 1, H, W].
        let smooth = averaged(
            concatenated([x, y, x * x, y * y, x * y], along: 0)
        ).chunks(5, along: 0)
        let (meanX, meanY) = (smooth[0], smooth[1])
        let varianceX = smooth[2] - meanX * meanX, varianceY = smooth[3] - meanY * meanY
        let covariance = smooth[4] - meanX * meanY
        let c1 = (0.01 * 255) * (0.01 * 255), c2 = (0.03 * 255) * (0.03 * 255)
        let similarity =
            (meanX * meanY * 2.0 + c1) * (covariance * 2.0 + c2)
            / ((meanX * meanX + meanY * meanY + c1) * (varianceX + varianceY + c2))
        return similarity.mean().scalar
    }

    /// The averages under the window, down and then across, where it lies inside.
    private static func averaged(_ x: Tensor) -> Tensor {
        let reach = window / 2
        let weights = (-reach...reach).map { exp(-0.5 * Double($0 * $0) / (1.5 * 1.5)) }
        let sum = weights.reduce(0, +)
        let kernel = Tensor(weights.map { $0 / sum })
        let down = convolution(x, kernel.reshaped(1, 1, window, 1))
        return convolution(down, kernel.reshaped(1, 1, 1, window))
    }
}

import Foundation
import Torch

/// How near a picture is to another of the same size, both 8-bit RGB.
public enum PictureComparison {
    /// Of pictures whose every pixel is the same, as several published scripts have it: infinity has no
    /// mean.
    static let highestPSNR = 100.0
    /// SSIM needs so many pixels along each side.
    static let smallestSide = 11

    /// Peak signal-to-noise ratio in dB, over the three colours together; at most 100.
    ///
    /// - Parameters: uint8 `[3, H, W]`.
    public static func psnr(_ a: Tensor, _ b: Tensor) -> Double {
        let error = (a.to(.float64) - b.to(.float64)).square().mean().scalar
        return min(highestPSNR, 10 * log10(255 * 255 / error))
    }

    /// Structural similarity (Wang et al. 2004): a Gaussian window of 11 pixels with deviation 1.5,
    /// covariances divided by the window's weight, the mean over the three colours. The numbers of
    /// scikit-image's `structural_similarity(a, b, channel_axis=0, gaussian_weights=True, sigma=1.5,
    /// use_sample_covariance=False, data_range=255)`, which leaves the five outermost pixels out.
    ///
    /// - Parameters: uint8 `[3, H, W]`, at least 11 pixels along each side.
    public static func ssim(_ a: Tensor, _ b: Tensor) -> Double {
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

    /// By the window, down and then across, where it lies inside.
    private static func averaged(_ x: Tensor) -> Tensor {
        let weights = (-5...5).map { exp(-0.5 * Double($0 * $0) / (1.5 * 1.5)) }
        let sum = weights.reduce(0, +)
        let window = Tensor(weights.map { $0 / sum })
        let down = convolution(x, window.reshaped(1, 1, 11, 1))
        return convolution(down, window.reshaped(1, 1, 1, 11))
    }
}

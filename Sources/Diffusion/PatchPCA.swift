import Errors
import Foundation
import Torch
import Weights

/// A latent codec without a trained network: the first principal components of square patches.
///
/// Latents are `scale · components · (patch - mean)`. The components are orthonormal and the scale
/// is one number, for which the latents' variance is 1 on average over the channels: up to that
/// number, a distance between latents is the distance between the pictures that they stand for. The
/// channels' variances differ as the components' do, the first by far the greatest. Components come
/// with a definite sign, so that the same statistics give the same codec, bit for bit.
public struct PatchPCA: LatentCodec {
    /// Pixels along each side of a patch.
    public let factor: Int
    /// Float64 `[channels, 3 factor²]`, orthonormal rows; a patch's values by colour, row, column.
    public let components: Tensor
    /// The mean of the patches: float64 `[3 factor²]`.
    public let mean: Tensor
    /// The variance of the patches along each component, in the pictures' units squared, falling.
    public let explainedVariance: [Double]
    /// The variance of the patches over all 3 factor² values: what all components together explain.
    public let totalVariance: Double
    /// The factor from the pictures' units to the latents'.
    public let scale: Double
    public var channels: Int { explainedVariance.count }
    /// The weights in float32: to latents `[channels, 3 factor²]`, `[channels]`; back from them, the transpose.
    private let encoder: (weight: Tensor, bias: Tensor)
    private let decoder: (weight: Tensor, bias: Tensor)

    /// - Throws: `LoopyError` `.configuration` for channels that a patch does not have, for no more
    ///   patches than a patch has values, and where patches do not differ, or not in all channels.
    public init(
        fitting statistics: PatchStatistics, channels: Int
    ) throws(LoopyError) {
        let length = 3 * statistics.size * statistics.size
        guard (1...length).contains(channels) else {
            throw LoopyError(
                .configuration,
                "patches of \(statistics.size) by \(statistics.size) pixels have 1 to \(length) "
                    + "components, not \(channels)")
        }
        guard statistics.count > length else {
            throw LoopyError(
                .configuration,
                "\(statistics.count) patches are too few for the components of \(length) values: "
                    + "give more pictures")
        }
        let (mean, covariance) = statistics.moments
        guard covariance.isFinite else {
            throw LoopyError(.configuration, "the pictures hold values that are no numbers")
        }
        let parts = Self.eigen(covariance)
        let first = length - channels
        let variances: [Double] = parts[0][first...].array().reversed()
        guard let smallest = variances.last, smallest > Self.smallestVariance else {
            throw LoopyError(
                .configuration,
                "the pictures' patches do not differ in \(channels) ways: give other pictures, or "
                    + "ask for fewer channels")
        }
        self.init(
            factor: statistics.size,
            components: Self.normalised(parts[1][.all, first...].transposed(0, 1)), mean: mean,
            explainedVariance: variances, totalVariance: parts[0].clamped(0).sum().scalar)
    }

    /// Finds the eigenvalues, rising, and the eigenvectors in columns. This takes one thread: unlike
    /// products, the solver rounds otherwise on several.
    private static func eigen(_ matrix: Tensor) -> [Tensor] {
        LibTorch.withThreads(1) { Operator.eigen.tensors(matrix) }
    }

    /// The least variance of a component that is more than rounding, for values of about 1.
    private static let smallestVariance = 1e-12

    init(
        factor: Int, components: Tensor, mean: Tensor, explainedVariance: [Double],
        totalVariance: Double
    ) {
        self.factor = factor
        self.components = components
        self.mean = mean
        self.explainedVariance = explainedVariance
        self.totalVariance = totalVariance
        let average = explainedVariance.reduce(0, +) / Double(explainedVariance.count)
        scale = 1 / average.squareRoot()
        encoder = (
            (components * scale).to(.float32), (components.matmul(mean) * -scale).to(.float32)
        )
        decoder = (
            (components.transposed(0, 1) / scale).to(.float32).contiguous(), mean.to(.float32)
        )
    }

    /// - Parameter vectors: `[channels, length]`, by rising variance.
    /// - Returns: the vectors by falling variance, the first of each one's greatest values positive.
    private static func normalised(_ vectors: Tensor) -> Tensor {
        let length = vectors.length(1)
        let values: [Double] = vectors.array()
        let rows = stride(from: 0, to: values.count, by: length).reversed().flatMap { start in
            let row = values[start..<(start + length)]
            let greatest = row.map(abs).max() ?? 0
            // A little less counts as well: which of two equal values wins is no matter of rounding.
            let first = row.first { abs($0) >= greatest * (1 - 1e-6) } ?? 0
            return first < 0 ? row.map { -$0 } : Array(row)
        }
        return Tensor(rows, shape: vectors.shape)
    }

    public func encode(_ images: Tensor) -> Tensor {
        let patches = patches(of: images.to(.float32), size: factor)
        let (weight, bias) = (
            encoder.weight.to(images.device), encoder.bias.to(images.device)
        )
        return linear(patches, weight, bias).permuted(0, 3, 1, 2).contiguous()
    }

    public func decode(_ latents: Tensor) -> Tensor {
        let (weight, bias) = (
            decoder.weight.to(latents.device), decoder.bias.to(latents.device)
        )
        return pictures(
            of: linear(latents.to(.float32).permuted(0, 2, 3, 1), weight, bias), size: factor)
    }
}

extension Operator {
    fileprivate static let eigen = Operator("aten::linalg_eigh")
}

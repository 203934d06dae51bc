import Torch

/// A convolution over time that is computed as matrix products, with steps in rows: `[T, in]` to
/// `[T', out]`.
///
/// The windows of a strided convolution are rows that lie side by side in memory, so that for a
/// stride of 2 a kernel of 3 is two products without a copy: of the rows in pairs, and of every
/// second row. On the CPU this is faster than `conv1d`, whose layout has to be changed before and
/// after (`make bench` has the figures), and norms find their channels last.
struct StridedConvolution {
    /// The weight as published: `[out, in, kernel]`.
    let weight: Tensor
    let bias: Tensor?
    private let stride: Int
    /// The factor of every `stride` rows of a window: `[rows · in, out]`.
    private let factors: [Tensor]

    init(
        _ scope: Scope, _ inputs: Int, _ outputs: Int, size: Int, stride: Int, bias: Bool
    ) {
        self.init(
            weight: scope.parameter(
                "weight", [outputs, inputs, size], .uniform(fanIn: inputs * size)),
            bias: bias
                ? scope.parameter("bias", [outputs], .uniform(fanIn: inputs * size)) : nil,
            stride: stride)
    }

    private init(weight: Tensor, bias: Tensor?, stride: Int) {
        self.weight = weight
        self.bias = bias
        self.stride = stride
        let size = weight.length(2)
        let rows = weight.permuted(2, 1, 0)
        factors = Swift.stride(from: 0, to: size, by: stride).map { first in
            rows[first..<min(first + stride, size)].flattened(from: 0, through: 1).contiguous()
        }
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        let (steps, inputs) = (x.length(0), x.length(1))
        let produced = (steps - weight.length(2)) / stride + 1
        var result: Tensor?
        for (index, factor) in factors.enumerated() {
            // Rows of the product are `stride` rows of the input apart.
            let windows = x[(index * stride)...].asStrided(
                [produced, factor.length(0)], strides: [stride * inputs, 1])
            if let sum = result {
                Operator.addProductInPlace(sum, windows, factor)
            } else if let bias {
                result = Operator.addProduct(bias, windows, factor)
            } else {
                result = Operator.product(windows, factor)
            }
        }
        return result!  // a kernel has at least one step
    }

    /// The convolution followed by a norm of each channel over the whole recording: a convolution
    /// again, for what the norm divides by is known before it runs.
    ///
    /// - Parameters:
    ///   - norm: a norm with one group a channel.
    ///   - statistics: the statistics of the windows of the whole recording. The convolution's output is linear in
    ///     a window, so that its mean and variance follow from the windows' mean and covariance.
    func normalised(by norm: GroupNorm, _ statistics: WaveStatistics) -> StridedConvolution {
        let kernel = weight[.all, 0].to(.float64)  // [out, kernel]: the wave is one channel
        let mean = kernel.matmul(statistics.mean.to(weight.device))
        let covariance = statistics.covariance.to(weight.device)
        let variance = (kernel.matmul(covariance) * kernel).sum([1])
        let scale = norm.weight.to(.float64) / (variance.clamped(0) + norm.epsilon).sqrt()
        let shift = norm.bias.to(.float64) - mean * scale  // a bias of the convolution cancels out
        return StridedConvolution(
            weight: (kernel * scale.unsqueezed(1)).to(.float32).unsqueezed(1),
            bias: shift.to(.float32), stride: stride)
    }
}

extension Operator {
    fileprivate static let product = Operator("aten::mm")
    fileprivate static let addProduct = Operator("aten::addmm")
    fileprivate static let addProductInPlace = Operator("aten::addmm_")
}

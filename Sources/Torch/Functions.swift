// What networks are made of, as functions of tensors. Layers (Layers.swift) hold their weights.

// MARK: Linear maps and convolutions

/// `x W^T + b`, over the last axis.
///
/// - Parameters:
///   - weight: `[out, in]`.
///   - bias: `[out]`.
public func linear(_ x: Tensor, _ weight: Tensor, _ bias: Tensor? = nil) -> Tensor {
    Operator.linear(x, weight, bias)
}

/// Convolution over 1 to 3 axes of space or time, as many as the weight has.
///
/// - Parameters:
///   - x: `[B, C, …]`.
///   - weight: `[out, C / groups, …]`.
///   - stride, padding, dilation: one for each axis, or one for all.
public func convolution(
    _ x: Tensor, _ weight: Tensor, _ bias: Tensor? = nil, stride: [Int] = [1],
    padding: [Int] = [0], dilation: [Int] = [1], groups: Int = 1
) -> Tensor {
    switch weight.rank {
    case 3: Operator.conv1d(x, weight, bias, stride, padding, dilation, groups)
    case 4: Operator.conv2d(x, weight, bias, stride, padding, dilation, groups)
    case 5: Operator.conv3d(x, weight, bias, stride, padding, dilation, groups)
    default: fatalError("a convolution has 1 to 3 axes; \(weight) is no weight of one")
    }
}

/// `[B, C, H, W]` to its greatest values in windows.
public func maxPool2d(
    _ x: Tensor, size: [Int], stride: [Int], padding: [Int] = [0, 0]
) -> Tensor {
    Operator.maxPool2d(x, size, stride, padding)
}

// MARK: Normalisation

/// Normalises over the last axes, as many as `weight` has.
public func layerNorm(
    _ x: Tensor, _ weight: Tensor?, _ bias: Tensor?, over shape: [Int], epsilon: Double
) -> Tensor {
    Operator.layerNorm(x, shape, weight, bias, epsilon)
}

/// Normalises over groups of channels of `[B, C, …]`.
public func groupNorm(
    _ x: Tensor, groups: Int, _ weight: Tensor?, _ bias: Tensor?, epsilon: Double
) -> Tensor {
    // libtorch 2.13's backward pass for channels last, on the CPU, writes gradients that nobody asked
    // for to nowhere: where only the weights are trained, or only x. So they are asked for, and dropped.
    let isTrained = weight?.requiresGradient ?? false
    guard x.requiresGradient != isTrained else {
        return Operator.groupNorm(x, groups, weight, bias, epsilon)
    }
    func asking(_ tensor: Tensor) -> Tensor {
        tensor.requiresGradient ? tensor : tensor.detached().requiringGradient()
    }
    return Operator.groupNorm(
        asking(x), groups, weight.map(asking), bias.map(asking), epsilon)
}

// MARK: Activations

extension Tensor {
    /// The exact GELU, by the error function.
    public func gelu() -> Tensor { Operator.gelu(self) }
    /// The exact GELU, which overwrites its own elements: for values that nothing else refers to.
    public func geluInPlace() -> Tensor { Operator.geluInPlace(self) }
    public func silu() -> Tensor { Operator.silu(self) }
    public func relu() -> Tensor { Operator.relu(self) }
    public func sigmoid() -> Tensor { Operator.sigmoid(self) }
    public func tanh() -> Tensor { Operator.tanh(self) }
    public func softmax(_ axis: Int) -> Tensor { Operator.softmax(self, axis) }
    public func logSoftmax(_ axis: Int) -> Tensor { Operator.logSoftmax(self, axis) }
}

// MARK: Attention

/// `softmax(Q K^T / sqrt(C)) V` for each head, by libtorch's fused kernels.
///
/// - Parameters:
///   - query: `[B, heads, N, C]`.
///   - key, value: `[B, heads, M, C]`.
///   - mask: broadcast to `[B, heads, N, M]`; truth values (true: may attend) or numbers to add.
public func scaledDotProductAttention(
    _ query: Tensor, _ key: Tensor, _ value: Tensor, mask: Tensor? = nil
) -> Tensor {
    Operator.attention(query, key, value, mask)
}

// MARK: Sampling and padding

/// How values between the given ones are found.
public enum Interpolation: Sendable {
    case nearest
    /// PyTorch's "linear", "bilinear" and "trilinear", along 1 to 3 axes.
    case linear
    /// PyTorch's "bicubic", along 2 axes.
    case bicubic
}

/// Resizes the axes behind `[B, C]` to `size`, by as many values.
///
/// - Parameters:
///   - alignCorners: whether first and last values stay where they are; not for `.nearest`.
///   - antialias: whether pictures that shrink are averaged, as image libraries do; for `.linear` along
///     2 axes.
public func interpolate(
    _ x: Tensor, size: [Int], _ kind: Interpolation, alignCorners: Bool = false,
    antialias: Bool = false
) -> Tensor {
    if antialias {
        require(kind == .linear && size.count == 2, "\(kind) to \(size) cannot be antialiased")
        return Operator.antialiased2d(x, size, alignCorners)
    }
    return switch (kind, size.count) {
    case (.nearest, 1): Operator.nearest1d(x, size)
    case (.nearest, 2): Operator.nearest2d(x, size)
    case (.nearest, 3): Operator.nearest3d(x, size)
    case (.linear, 1): Operator.linear1d(x, size, alignCorners)
    case (.linear, 2): Operator.bilinear2d(x, size, alignCorners)
    case (.linear, 3): Operator.trilinear3d(x, size, alignCorners)
    case (.bicubic, 2): Operator.bicubic2d(x, size, alignCorners)
    default: fatalError("\(x) cannot be resized to \(size) by \(kind)")
    }
}

/// What stands outside: a number, the values within mirrored at the border, the border's value.
public enum Padding: Sendable {
    case constant(Double)
    case reflect, replicate
}

/// Makes the last axes longer.
///
/// - Parameter amounts: the lengths that are added before and after the last axis, then the one before it, and so on.
public func pad(_ x: Tensor, _ amounts: [Int], _ kind: Padding = .constant(0)) -> Tensor {
    switch kind {
    case .constant(let value): Operator.pad(x, amounts, "constant" as StaticString, value)
    case .reflect: Operator.pad(x, amounts, "reflect" as StaticString)
    case .replicate: Operator.pad(x, amounts, "replicate" as StaticString)
    }
}

/// Squares of `factor` by `factor` pixels become channels: `[B, C, H, W]` to `[B, C factor², H / factor, W / factor]`.
public func pixelUnshuffle(_ x: Tensor, _ factor: Int) -> Tensor {
    Operator.pixelUnshuffle(x, factor)
}

/// Channels become squares of `factor` by `factor` pixels: the inverse of `pixelUnshuffle`.
public func pixelShuffle(_ x: Tensor, _ factor: Int) -> Tensor { Operator.pixelShuffle(x, factor) }

/// Rows of a table.
///
/// - Parameters:
///   - table: `[entries, C]`.
///   - indices: int64, any shape.
/// - Returns: the shape of `indices`, and `C`.
public func embedding(_ table: Tensor, _ indices: Tensor) -> Tensor {
    Operator.embedding(table, indices)
}

// MARK: Fourier transform

/// The Fourier transform of real signals along the last axis, as `torch.fft.rfft`.
///
/// - Parameters:
///   - x: `[…, N]`, zero-padded or cut to `length`.
///   - length: N when left out.
/// - Returns: the real and the imaginary part, `[…, length / 2 + 1]`.
public func fourierTransform(
    _ x: Tensor, length: Int? = nil
) -> (real: Tensor, imaginary: Tensor) {
    let parts = Operator.viewAsReal(Operator.fft(x, length))
    return (parts[.rest, 0], parts[.rest, 1])
}

/// The real signals of which that is the Fourier transform, as `torch.fft.irfft`.
///
/// - Parameters:
///   - real, imaginary: `[…, length / 2 + 1]`.
///   - length: the length of the signals. A transform alone does not say whether it was even.
/// - Returns: `[…, length]`.
public func inverseFourierTransform(real: Tensor, imaginary: Tensor, length: Int) -> Tensor {
    Operator.inverseFFT(Operator.complex(real, imaginary), length)
}

/// `|FFT|²` of real signals along the last axis: `[…, N]`, zero-padded or cut to `length`, gives
/// `[…, length / 2 + 1]`.
public func powerSpectrum(_ x: Tensor, length: Int) -> Tensor {
    Operator.viewAsReal(Operator.fft(x, length)).square().sum([-1])
}

// MARK: Losses

/// Mean of the squared differences.
public func mseLoss(_ x: Tensor, _ target: Tensor) -> Tensor {
    Operator.mseLoss(x, target)
}

extension Operator {
    fileprivate static let linear = Operator("aten::linear")
    fileprivate static let pixelUnshuffle = Operator("aten::pixel_unshuffle")
    fileprivate static let pixelShuffle = Operator("aten::pixel_shuffle")
    fileprivate static let conv1d = Operator("aten::conv1d")
    fileprivate static let conv2d = Operator("aten::conv2d")
    fileprivate static let conv3d = Operator("aten::conv3d")
    fileprivate static let maxPool2d = Operator("aten::max_pool2d")
    fileprivate static let layerNorm = Operator("aten::layer_norm")
    fileprivate static let groupNorm = Operator("aten::group_norm")
    fileprivate static let gelu = Operator("aten::gelu")
    fileprivate static let geluInPlace = Operator("aten::gelu_")
    fileprivate static let silu = Operator("aten::silu")
    fileprivate static let relu = Operator("aten::relu")
    fileprivate static let sigmoid = Operator("aten::sigmoid")
    fileprivate static let tanh = Operator("aten::tanh")
    fileprivate static let softmax = Operator("aten::softmax", "int")
    fileprivate static let logSoftmax = Operator("aten::log_softmax", "int")
    fileprivate static let attention = Operator("aten::scaled_dot_product_attention")
    fileprivate static let nearest1d = Operator("aten::upsample_nearest1d")
    fileprivate static let nearest2d = Operator("aten::upsample_nearest2d")
    fileprivate static let nearest3d = Operator("aten::upsample_nearest3d")
    fileprivate static let linear1d = Operator("aten::upsample_linear1d")
    fileprivate static let bilinear2d = Operator("aten::upsample_bilinear2d")
    fileprivate static let antialiased2d = Operator("aten::_upsample_bilinear2d_aa")
    fileprivate static let trilinear3d = Operator("aten::upsample_trilinear3d")
    fileprivate static let bicubic2d = Operator("aten::upsample_bicubic2d")
    fileprivate static let pad = Operator("aten::pad")
    fileprivate static let embedding = Operator("aten::embedding")
    fileprivate static let fft = Operator("aten::fft_rfft")
    fileprivate static let inverseFFT = Operator("aten::fft_irfft")
    fileprivate static let complex = Operator("aten::complex")
    fileprivate static let viewAsReal = Operator("aten::view_as_real")
    fileprivate static let mseLoss = Operator("aten::mse_loss")
}

// Layers: weights by the names that PyTorch gives them, and one call. Each takes the scope of its
// weights; shapes are checked there.

/// `torch.nn.Linear`: `[…, in]` to `[…, out]`.
public struct Linear {
    public let weight: Tensor
    public let bias: Tensor?

    /// - Parameter initial: how weight and bias begin; as PyTorch's when left out.
    public init(
        _ scope: Scope, _ inputs: Int, _ outputs: Int, bias: Bool = true,
        initial: InitialValues? = nil
    ) {
        let initial = initial ?? .uniform(fanIn: inputs)
        weight = scope.parameter("weight", [outputs, inputs], initial)
        self.bias = bias ? scope.parameter("bias", [outputs], initial) : nil
    }

    public func callAsFunction(_ x: Tensor) -> Tensor { linear(x, weight, bias) }
}

/// `torch.nn.Conv1d` to `Conv3d`: as many axes as `size` has lengths.
public struct Convolution {
    public let weight: Tensor
    public let bias: Tensor?
    private let stride: [Int], padding: [Int], groups: Int

    /// - Parameters:
    ///   - stride, padding: one for each axis, or one for all.
    ///   - initial: how weight and bias begin; as PyTorch's when left out.
    public init(
        _ scope: Scope, _ inputs: Int, _ outputs: Int, size: [Int], stride: [Int] = [1],
        padding: [Int] = [0], groups: Int = 1, bias: Bool = true, initial: InitialValues? = nil
    ) {
        let initial = initial ?? .uniform(fanIn: size.reduce(inputs / groups, *))
        weight = scope.parameter("weight", [outputs, inputs / groups] + size, initial)
        self.bias = bias ? scope.parameter("bias", [outputs], initial) : nil
        self.stride = stride
        self.padding = padding
        self.groups = groups
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        convolution(x, weight, bias, stride: stride, padding: padding, groups: groups)
    }
}

/// `torch.nn.LayerNorm` over the last axis.
public struct LayerNorm {
    public let weight: Tensor
    public let bias: Tensor
    private let epsilon: Double

    public init(_ scope: Scope, _ channels: Int, epsilon: Double = 1e-5) {
        weight = scope.parameter("weight", [channels], .constant(1))
        bias = scope.parameter("bias", [channels], .constant(0))
        self.epsilon = epsilon
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        layerNorm(x, weight, bias, over: weight.shape, epsilon: epsilon)
    }
}

/// `torch.nn.GroupNorm` over groups of channels of `[B, C, …]`.
public struct GroupNorm {
    public let weight: Tensor
    public let bias: Tensor
    public let groups: Int
    public let epsilon: Double

    public init(_ scope: Scope, groups: Int, _ channels: Int, epsilon: Double = 1e-5) {
        weight = scope.parameter("weight", [channels], .constant(1))
        bias = scope.parameter("bias", [channels], .constant(0))
        self.groups = groups
        self.epsilon = epsilon
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        groupNorm(x, groups: groups, weight, bias, epsilon: epsilon)
    }
}

/// `torch.nn.BatchNorm1d` to `3d` as a trained network uses it: a scale and a shift a channel, from
/// the statistics of its training. Computed once, when it is made: it does not train.
public struct BatchNorm {
    /// `[C]` each: `y = scale x + shift`.
    public let scale: Tensor
    public let shift: Tensor

    public init(_ scope: Scope, _ channels: Int, epsilon: Double = 1e-5) {
        let weight = scope.parameter("weight", [channels], .constant(1))
        let bias = scope.parameter("bias", [channels], .constant(0))
        let mean = scope.parameter("running_mean", [channels], .constant(0))
        let variance = scope.parameter("running_var", [channels], .constant(1))
        scope.ignore("num_batches_tracked")
        scale = weight / (variance + epsilon).sqrt()
        shift = bias - mean * scale
    }

    /// - Parameter x: `[B, C, …]`.
    public func callAsFunction(_ x: Tensor) -> Tensor {
        let broadcast = [-1] + Array(repeating: 1, count: x.rank - 2)
        return x * scale.reshaped(broadcast) + shift.reshaped(broadcast)
    }
}

/// `torch.nn.Embedding`: int64 indices to rows of a table.
public struct Embedding {
    public let weight: Tensor

    public init(_ scope: Scope, entries: Int, _ channels: Int) {
        weight = scope.parameter("weight", [entries, channels], .normal(1))
    }

    public func callAsFunction(_ indices: Tensor) -> Tensor { embedding(weight, indices) }
}

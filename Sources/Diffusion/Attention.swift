import Torch

// Shapes: B pictures or pixels, N queries, M keys, C channels.

/// Attention with several heads (diffusers' `Attention`): `to_q`, `to_k`, `to_v`, `to_out.0`.
///
/// Called with tokens alone it is self-attention, with a context cross-attention. Keys and values
/// that come from several tensors are made by `keysAndValues`, joined, and given to `attend`.
public struct Attention {
    /// Keys and values, head by head: `[B, heads, M, C / heads]` each.
    public struct KeysAndValues {
        public var keys: Tensor
        public var values: Tensor

        public init(keys: Tensor, values: Tensor) {
            self.keys = keys
            self.values = values
        }
    }

    private let toQ: Linear, toK: Linear, toV: Linear, toOut: Linear
    private let heads: Int

    /// - Parameters:
    ///   - channels: the number of channels of the queries and the result.
    ///   - context: the number of channels of what keys and values are made of; the queries' when left out.
    ///   - bias: whether queries, keys and values have one.
    ///   - startsAtZero: whether a new layer adds nothing at first.
    public init(
        _ scope: Scope, _ channels: Int, context: Int? = nil, heads: Int, bias: Bool = false,
        startsAtZero: Bool = false
    ) {
        toQ = Linear(scope["to_q"], channels, channels, bias: bias)
        toK = Linear(scope["to_k"], context ?? channels, channels, bias: bias)
        toV = Linear(scope["to_v"], context ?? channels, channels, bias: bias)
        toOut = Linear(
            scope["to_out"][0], channels, channels, initial: startsAtZero ? .constant(0) : nil)
        self.heads = heads
    }

    /// - Parameters:
    ///   - x: `[B, N, C]`.
    ///   - context: `[B, M, C of the context]`.
    ///   - mask: which keys may be attended to, broadcast to `[B, heads, N, M]`.
    /// - Returns: `[B, N, C]`.
    public func callAsFunction(
        _ x: Tensor, _ context: Tensor? = nil, mask: Tensor? = nil
    ) -> Tensor {
        attend(x, keysAndValues(context ?? x), mask: mask)
    }

    /// Makes keys and values, to be joined with others or kept.
    public func keysAndValues(_ context: Tensor) -> KeysAndValues {
        KeysAndValues(
            keys: toK(context).split(heads: heads), values: toV(context).split(heads: heads))
    }

    /// Makes keys and values as one tensor, `[B, M, 2 C]`, for `keysAndValues(joined:)`.
    public func joinedKeysAndValues(_ context: Tensor) -> Tensor {
        concatenated([toK(context), toV(context)], along: -1)
    }

    /// Parts keys and values that another attention of the same shape made.
    public func keysAndValues(joined: Tensor) -> KeysAndValues {
        let parts = joined.chunks(2, along: -1)
        return KeysAndValues(
            keys: parts[0].split(heads: heads), values: parts[1].split(heads: heads))
    }

    /// Attends to keys and values that were made before.
    public func attend(_ x: Tensor, _ context: KeysAndValues, mask: Tensor? = nil) -> Tensor {
        let attended = scaledDotProductAttention(
            toQ(x).split(heads: heads), context.keys, context.values, mask: mask)
        return toOut(attended.joinedHeads())
    }
}

extension Tensor {
    /// `[B, N, C]` to `[B, heads, N, C / heads]`.
    public func split(heads: Int) -> Tensor {
        reshaped(length(0), length(1), heads, -1).transposed(1, 2)
    }

    /// `[B, heads, N, C / heads]` to `[B, N, C]`.
    public func joinedHeads() -> Tensor { transposed(1, 2).flattened(from: 2) }
}

/// Two linear layers with a gate between them (diffusers' `FeedForward` with GEGLU): half of the wide
/// values, times the exact GELU of the other half.
public struct FeedForward {
    private let wide: Linear
    private let out: Linear

    public init(_ scope: Scope, _ channels: Int) {
        wide = Linear(scope["net"][0]["proj"], channels, 8 * channels)
        out = Linear(scope["net"][2], 4 * channels, channels)
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        // Two products rather than the halves of one: what follows, and the backward pass, work on
        // values that lie together.
        let weights = wide.weight.chunks(2, along: 0)
        let biases = wide.bias?.chunks(2, along: 0)
        let values = linear(x, weights[0], biases?[0])
        return out(values * linear(x, weights[1], biases?[1]).gelu())
    }
}

/// Tokens for the pixels of a picture, worked on by a block, and added to it (diffusers'
/// `Transformer2DModel`, with 1x1 convolutions on both sides).
public struct SpatialTransformer<Block> {
    private let norm: GroupNorm
    private let projectIn: Convolution, projectOut: Convolution
    private let block: Block

    /// - Parameter makeBlock: makes the block from its scope.
    public init(_ scope: Scope, _ channels: Int, groups: Int, makeBlock: (Scope) -> Block) {
        norm = GroupNorm(scope["norm"], groups: groups, channels, epsilon: 1e-6)
        projectIn = Convolution(scope["proj_in"], channels, channels, size: [1, 1])
        block = makeBlock(scope["transformer_blocks"][0])
        projectOut = Convolution(scope["proj_out"], channels, channels, size: [1, 1])
    }

    /// - Parameters:
    ///   - x: `[B, C, H, W]`.
    ///   - run: gives the block its tokens `[B, H W, C]`, and returns what it makes of them.
    public func callAsFunction(_ x: Tensor, _ run: (Block, Tensor) -> Tensor) -> Tensor {
        let shape = x.shape
        let tokens = projectIn(norm(x)).permuted(0, 2, 3, 1).flattened(from: 1, through: 2)
        let picture = run(block, tokens)
            .reshaped(shape[0], shape[2], shape[3], shape[1]).permuted(0, 3, 1, 2)
        return projectOut(picture) + x
    }
}

import Torch

// Shapes: B pictures, C channels, H W rows and columns, E width of the timestep embedding.

/// Two convolutions with a way around them (diffusers' `ResnetBlock2D`).
public struct ResidualBlock {
    private let norm1: GroupNorm, conv1: Convolution
    private let embedding: Linear?
    private let norm2: GroupNorm, conv2: Convolution
    private let shortcut: Convolution?

    /// - Parameters:
    ///   - embedding: E; nil for an autoencoder's, which know no timestep.
    public init(
        _ scope: Scope, _ inputs: Int, _ outputs: Int, embedding: Int?, groups: Int,
        epsilon: Double
    ) {
        norm1 = GroupNorm(scope["norm1"], groups: groups, inputs, epsilon: epsilon)
        conv1 = Convolution(scope["conv1"], inputs, outputs, size: [3, 3], padding: [1, 1])
        self.embedding = embedding.map { Linear(scope["time_emb_proj"], $0, outputs) }
        norm2 = GroupNorm(scope["norm2"], groups: groups, outputs, epsilon: epsilon)
        conv2 = Convolution(scope["conv2"], outputs, outputs, size: [3, 3], padding: [1, 1])
        shortcut =
            inputs == outputs
            ? nil : Convolution(scope["conv_shortcut"], inputs, outputs, size: [1, 1])
    }

    /// - Parameters:
    ///   - x: `[B, C, H, W]`.
    ///   - embedding: the timestep's embedding, activated: `[B, E]`.
    public func callAsFunction(_ x: Tensor, _ embedding: Tensor? = nil) -> Tensor {
        var h = conv1(norm1(x).silu())
        if let embedding, let project = self.embedding {
            h = h + project(embedding)[.all, .all, .newAxis, .newAxis]
        }
        h = conv2(norm2(h).silu())
        return (shortcut?(x) ?? x) + h
    }
}

/// Halves the side by a convolution (diffusers' `Downsample2D`).
public struct Downsampling {
    private let conv: Convolution
    private let padsEnds: Bool

    /// - Parameter padsEnds: whether only the right and lower border are padded, as the autoencoder's
    ///   encoder does.
    public init(_ scope: Scope, _ channels: Int, padsEnds: Bool = false) {
        conv = Convolution(
            scope["conv"], channels, channels, size: [3, 3], stride: [2, 2],
            padding: padsEnds ? [0, 0] : [1, 1])
        self.padsEnds = padsEnds
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        conv(padsEnds ? pad(x, [0, 1, 0, 1]) : x)
    }
}

/// Enlarges by nearest values, then a convolution (diffusers' `Upsample2D`).
public struct Upsampling {
    private let conv: Convolution

    /// - Parameter outputs: the channels of the result; as many as before when left out.
    public init(_ scope: Scope, _ channels: Int, to outputs: Int? = nil) {
        conv = Convolution(
            scope["conv"], channels, outputs ?? channels, size: [3, 3], padding: [1, 1])
    }

    /// - Parameter size: rows and columns; twice as many as there are when left out.
    public func callAsFunction(_ x: Tensor, size: [Int]? = nil) -> Tensor {
        conv(interpolate(x, size: size ?? [2 * x.length(2), 2 * x.length(3)], .nearest))
    }
}

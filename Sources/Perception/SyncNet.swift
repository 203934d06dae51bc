// SyncNet (Chung and Zisserman, "Out of time", 2016), as published: github.com/joonson/syncnet_python,
// SyncNetModel.py. Names of weights are that file's: layers count through each sequence.
//
//   N windows of five frames   H W 224   C 1024

import Torch
import Weights

/// Embeds a fifth of a second of lips, and of sound, so that those that belong together are near.
///
/// Batch norms are folded into the convolutions before them, and values are pooled before they are
/// rectified; neither changes the result. The first convolution, over five frames, is one over the
/// fifteen channels of five frames side by side.
public struct SyncNet {
    /// The pictures, and the steps of sound, in a window.
    public static let frames = 5, steps = 20
    /// The width and height of a picture, in pixels.
    public static let side = 224

    private let lips: LipEncoder
    private let sound: SoundEncoder

    /// - Throws: `LoopyError` when the file is not what is published as `syncnet_v2.model`.
    public init(path: String) throws { try self.init(path: path, narrowedBy: 1) }

    /// - Parameter factor: divides all numbers of channels, for fixtures.
    package init(path: String, narrowedBy factor: Int) throws {
        let checkpoint = try Checkpoint(path)
        self = try withoutGradient {
            try ParameterStore.load(checkpoint) { scope in
                SyncNet(
                    lips: LipEncoder(scope, narrowedBy: factor),
                    sound: SoundEncoder(scope, narrowedBy: factor))
            }
        }
    }

    private init(lips: LipEncoder, sound: SoundEncoder) {
        (self.lips, self.sound) = (lips, sound)
    }

    /// Embeds pictures.
    ///
    /// - Parameter pictures: `[N + 4, H, W, 3]`, RGB, 0 to 255.
    /// - Returns: `[N, C]`.
    public func embedLips(_ pictures: Tensor) -> Tensor {
        withoutGradient {
            // [N, H, W, 3, 5] to [N, H, W, 15], the frames outermost; seen as [N, 15, H, W].
            let windows = pictures.unfold(along: 0, size: Self.frames, step: 1)
                .permuted(0, 1, 2, 4, 3).flattened(from: 3)
            return lips(windows.permuted(0, 3, 1, 2))
        }
    }

    /// Embeds sound.
    ///
    /// - Parameter features: the features of `MFCC`, `[13, T]`.
    /// - Returns: `[N, C]`, a window every fourth step.
    public func embedSound(_ features: Tensor) -> Tensor {
        withoutGradient {
            sound(
                features.unfold(along: 1, size: Self.steps, step: 4).permuted(1, 0, 2)
                    .unsqueezed(1))
        }
    }
}

/// Embeds lips: the published `netcnnlip` and `netfclip`.
private struct LipEncoder {
    private let convolutions: [FoldedConvolution]
    private let head: Head

    init(_ scope: Scope, narrowedBy factor: Int) {
        let network = scope["netcnnlip"]
        func convolution(
            _ layer: Int, _ inputs: Int, _ outputs: Int, size: [Int], stride: Int = 1,
            padding: Int = 0, pool: Pool? = nil
        ) -> FoldedConvolution {
            FoldedConvolution(
                network, layer, layer == 0 ? inputs : inputs / factor, outputs / factor, size: size,
                stride: stride, padding: padding, pool: pool)
        }
        convolutions = [
            convolution(0, 3, 96, size: [5, 7, 7], stride: 2, pool: Pool(stride: [2, 2])),
            convolution(
                4, 96, 256, size: [1, 5, 5], stride: 2, padding: 1,
                pool: Pool(stride: [2, 2], padding: 1)),
            convolution(8, 256, 256, size: [1, 3, 3], padding: 1),
            convolution(11, 256, 256, size: [1, 3, 3], padding: 1),
            convolution(
                14, 256, 256, size: [1, 3, 3], padding: 1, pool: Pool(stride: [2, 2])),
            convolution(18, 256, 512, size: [1, 6, 6]),
        ]
        head = Head(scope["netfclip"], 512 / factor, 1024 / factor)
    }

    /// Maps `[N, 15, H, W]` to `[N, C]`.
    func callAsFunction(_ x: Tensor) -> Tensor {
        head(convolutions.reduce(x) { $1($0) }.flattened(from: 1))
    }
}

/// Embeds sound: the published `netcnnaud` and `netfcaud`.
private struct SoundEncoder {
    private let convolutions: [FoldedConvolution]
    private let head: Head

    init(_ scope: Scope, narrowedBy factor: Int) {
        let network = scope["netcnnaud"]
        func convolution(
            _ layer: Int, _ inputs: Int, _ outputs: Int, size: [Int] = [3, 3], padding: Int = 1,
            pool: Pool? = nil
        ) -> FoldedConvolution {
            FoldedConvolution(
                network, layer, layer == 0 ? inputs : inputs / factor, outputs / factor, size: size,
                stride: 1, padding: padding, pool: pool)
        }
        convolutions = [
            convolution(0, 1, 64),  // a pooling of one by one follows: nothing
            convolution(4, 64, 192, pool: Pool(stride: [1, 2])),
            convolution(8, 192, 384),
            convolution(11, 384, 256),
            convolution(14, 256, 256, pool: Pool(stride: [2, 2])),
            convolution(18, 256, 512, size: [5, 4], padding: 0),
        ]
        head = Head(scope["netfcaud"], 512 / factor, 1024 / factor)
    }

    /// Maps `[N, 1, 13, 20]` to `[N, C]`.
    func callAsFunction(_ x: Tensor) -> Tensor {
        head(convolutions.reduce(x) { $1($0) }.flattened(from: 1))
    }
}

/// A pooling that takes the greatest of three by three values.
private struct Pool {
    var stride: [Int]
    var padding = 0
}

/// A convolution, its batch norm, a pooling where there is one, and ReLU.
private struct FoldedConvolution {
    private let weight: Tensor, bias: Tensor
    private let stride: Int, padding: Int
    private let pool: Pool?

    /// - Parameters:
    ///   - layer: the index of the convolution in the published sequence; its norm comes next.
    ///   - size: the kernel's lengths along two axes, or along three where the first is frames, which
    ///     become channels.
    init(
        _ scope: Scope, _ layer: Int, _ inputs: Int, _ outputs: Int, size: [Int], stride: Int,
        padding: Int, pool: Pool?
    ) {
        let convolution = Convolution(scope[layer], inputs, outputs, size: size)
        let norm = BatchNorm(scope[layer + 1], outputs)
        let scale = norm.scale.reshaped([-1] + Array(repeating: 1, count: size.count + 1))
        let scaled = convolution.weight * scale
        if size.count == 3 {
            // Published for BGR; pictures here are RGB.
            let colours = inputs == 3 ? Array((0..<3).reversed()) : Array(0..<inputs)
            weight = scaled.indexSelect(Tensor(colours), along: 1).permuted(0, 2, 1, 3, 4)
                .flattened(from: 1, through: 2).channelsLast()
        } else {
            weight = scaled.channelsLast()
        }
        bias = (convolution.bias.map { $0 * norm.scale } ?? norm.shift.zerosLike()) + norm.shift
        (self.stride, self.padding, self.pool) = (stride, padding, pool)
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        let y = convolution(
            x, weight, bias, stride: [stride, stride], padding: [padding, padding],
            dilation: [1, 1])
        guard let pool else { return y.relu() }
        return maxPool2d(
            y, size: [3, 3], stride: pool.stride, padding: [pool.padding, pool.padding]
        ).relu()
    }
}

/// Two fully connected layers, with a batch norm between them.
private struct Head {
    private let first: Linear, norm: BatchNorm, second: Linear

    init(_ scope: Scope, _ inputs: Int, _ outputs: Int) {
        first = Linear(scope[0], inputs, inputs)
        norm = BatchNorm(scope[1], inputs)
        second = Linear(scope[3], inputs, outputs)
    }

    func callAsFunction(_ x: Tensor) -> Tensor { second(norm(first(x)).relu()) }
}

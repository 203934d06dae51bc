import Torch

// Shapes: B pictures, C channels, H W rows and columns, E width of the timestep embedding.

/// What the deep layers, all but the finest few, made in a step of sampling, to be used again in the steps behind it:
/// from one to the next it changes little.
///
/// Reference: Ma, Fang, Wang, "DeepCache: Accelerating Diffusion Models for Free" (2024).
public final class DeepFeatures {
    /// The layers on the way down that run in every step; the same, and one more, do on the way up.
    fileprivate static let shallow = 1
    fileprivate var features: Tensor?

    public init() {}

    /// Has the next pass run all layers.
    public func forget() { features = nil }
}

/// The frame of Stable Diffusion's U-Net: what leads down, through the middle and up again, with the
/// names of diffusers' `UNet2DConditionModel`. What each layer is, its user says: the plain
/// net's, the reference net's and the denoising net's layers all begin with a residual block.
public struct UNet<Layer> {
    /// The position of a layer in the net, and its size.
    public struct LayerPosition {
        /// The scope of its block: `down_blocks.1`.
        public let scope: Scope
        /// The index in its block: `resnets.0`, `attentions.0`.
        public let index: Int
        /// Channels that come in, and that go out.
        public let inputs: Int
        public let outputs: Int
        /// Whether a spatial transformer stands behind the residual block.
        public let hasAttention: Bool
        /// The resolution's index: 0 is the finest, each next one has half the side.
        public let level: Int
        /// Whether it stands on the way up, where two tensors come in.
        public let isUp: Bool
    }

    private struct DownBlock {
        var layers: [Layer]
        var downsampling: Downsampling?
    }

    private struct UpBlock {
        var layers: [Layer]
        var upsampling: Upsampling?
    }

    private let timeEmbedding: TimestepEmbedding
    private let convIn: Convolution
    private let downBlocks: [DownBlock]
    private let middle: Layer
    private let middleEnd: ResidualBlock
    private let upBlocks: [UpBlock]
    private let output: (norm: GroupNorm, conv: Convolution)?

    /// - Parameters:
    ///   - hasOutput: whether there is a last convolution; a net that is asked for its features alone
    ///     has none.
    public init(
        _ scope: Scope, _ configuration: UNetConfiguration, hasOutput: Bool = true,
        makeLayer: (LayerPosition) -> Layer
    ) {
        let channels = configuration.channels, depth = channels.count
        let layers = configuration.layersPerBlock
        timeEmbedding = TimestepEmbedding(
            scope["time_embedding"], channels: channels[0], width: configuration.embeddingWidth)
        convIn = Convolution(
            scope["conv_in"], configuration.inputChannels, channels[0], size: [3, 3],
            padding: [1, 1])

        // Down; every result is kept for the way up.
        var kept = [channels[0]]
        downBlocks = (0..<depth).map { level in
            let block = scope["down_blocks"][level]
            let made = (0..<layers).map { index in
                defer { kept.append(channels[level]) }
                return makeLayer(
                    LayerPosition(
                        scope: block, index: index,
                        inputs: index == 0 ? channels[max(0, level - 1)] : channels[level],
                        outputs: channels[level], hasAttention: configuration.attention[level],
                        level: level, isUp: false))
            }
            guard level < depth - 1 else { return DownBlock(layers: made) }
            kept.append(channels[level])
            return DownBlock(
                layers: made,
                downsampling: Downsampling(block["downsamplers"][0], channels[level]))
        }

        // Through the middle.
        let deepest = channels[depth - 1]
        middle = makeLayer(
            LayerPosition(
                scope: scope["mid_block"], index: 0, inputs: deepest, outputs: deepest,
                hasAttention: true, level: depth - 1, isUp: false))
        middleEnd = ResidualBlock(
            scope["mid_block"]["resnets"][1], deepest, deepest,
            embedding: configuration.embeddingWidth, groups: configuration.groups, epsilon: 1e-5)

        // Up, each layer with what was kept last.
        var incoming = deepest
        upBlocks = (0..<depth).reversed().enumerated().map { position, level in
            let block = scope["up_blocks"][position]
            let made = (0...layers).map { index in
                defer { incoming = channels[level] }
                return makeLayer(
                    LayerPosition(
                        scope: block, index: index, inputs: incoming + kept.removeLast(),
                        outputs: channels[level], hasAttention: configuration.attention[level],
                        level: level, isUp: true))
            }
            let upsampling =
                level == 0 ? nil : Upsampling(block["upsamplers"][0], channels[level])
            return UpBlock(layers: made, upsampling: upsampling)
        }

        output =
            hasOutput
            ? (
                GroupNorm(
                    scope["conv_norm_out"], groups: configuration.groups, channels[0],
                    epsilon: 1e-5),
                Convolution(
                    scope["conv_out"], channels[0], configuration.outputChannels, size: [3, 3],
                    padding: [1, 1])
            ) : nil
    }

    /// - Parameter timesteps: `[B]`.
    /// - Returns: their embedding `[B, E]`, to which more may be added.
    public func embed(_ timesteps: Tensor) -> Tensor { timeEmbedding(timesteps) }

    /// - Parameters:
    ///   - x: `[B, C, H, W]`.
    ///   - embedding: `[B, E]`.
    ///   - deep: takes the deep layers' features; where it holds some, these layers do not run.
    ///   - run: runs one layer, in the order in which they stand, by which they are numbered. It is given the
    ///     tensors that the layer sees, to be joined along channels: one on the way down, two on the way up.
    ///     The embedding that it is given has been activated.
    /// - Returns: `[B, C of the output, H, W]`; the last layer's result where there is no output.
    public func callAsFunction(
        _ x: Tensor, embedding: Tensor, deep: DeepFeatures? = nil,
        _ run: (Layer, _ number: Int, _ inputs: [Tensor], _ embedding: Tensor) -> Tensor
    ) -> Tensor {
        let embedding = embedding.silu()
        var x = convIn(x.channelsLast())
        var kept = [x]
        var number = 0
        func pass(_ layer: Layer, _ inputs: [Tensor]) -> Tensor {
            defer { number += 1 }
            return run(layer, number, inputs, embedding)
        }
        let shallow = DeepFeatures.shallow
        let last = upBlocks[upBlocks.count - 1].layers
        for layer in downBlocks[0].layers.prefix(shallow) {
            x = pass(layer, [x])
            kept.append(x)
        }
        if let features = deep?.features {
            x = features
            number = layerCount - (shallow + 1)
        } else {
            x = passDeep(x, embedding, &kept, pass)
            deep?.features = x
        }
        for layer in last.suffix(shallow + 1) { x = pass(layer, [x, kept.removeLast()]) }

        guard let output else { return x }
        return output.conv(output.norm(x).silu())
    }

    /// The layers between the first ones on the way down and the last ones on the way up.
    ///
    /// - Parameter kept: what the layers so far have made; what is taken from it on the way up is gone then.
    private func passDeep(
        _ x: Tensor, _ embedding: Tensor, _ kept: inout [Tensor],
        _ pass: (Layer, [Tensor]) -> Tensor
    ) -> Tensor {
        var x = x
        for (level, block) in downBlocks.enumerated() {
            for layer in block.layers.dropFirst(level == 0 ? DeepFeatures.shallow : 0) {
                x = pass(layer, [x])
                kept.append(x)
            }
            if let downsampling = block.downsampling {
                x = downsampling(x)
                kept.append(x)
            }
        }

        x = pass(middle, [x])
        x = middleEnd(x, embedding)

        for (position, block) in upBlocks.enumerated() {
            let isLast = position == upBlocks.count - 1
            for layer in block.layers.dropLast(isLast ? DeepFeatures.shallow + 1 : 0) {
                x = pass(layer, [x, kept.removeLast()])
            }
            if let upsampling = block.upsampling, let next = kept.last {
                // An odd number of rows was rounded up on the way down.
                x = upsampling(x, size: Array(next.shape[2...]))
            }
        }
        return x
    }

    private var layerCount: Int {
        downBlocks.map(\.layers.count).reduce(0, +) + 1
            + upBlocks.map(\.layers.count).reduce(0, +)
    }
}

import Torch
import Weights

/// Stable Diffusion 1.5's U-Net as it was published (diffusers' `UNet2DConditionModel`): one picture at
/// a time, and text. Loopy's nets are checked against it, and begin with its weights.
public struct PlainUNet {
    /// A residual block, and the spatial transformer behind it.
    struct Layer {
        let residual: ResidualBlock
        let transformer: SpatialTransformer<Block>?
    }

    /// Diffusers' `BasicTransformerBlock`.
    struct Block {
        let norm1: LayerNorm, selfAttention: Attention
        /// Nil in a net without text.
        let text: (norm: LayerNorm, attention: Attention)?
        let norm3: LayerNorm, feedForward: FeedForward
    }

    private let frame: UNet<Layer>

    /// - Parameter configuration: without `textChannels` the net has no text attention.
    public init(_ scope: Scope, _ configuration: UNetConfiguration) {
        frame = UNet(scope, configuration) { position in
            Layer(
                residual: ResidualBlock(position, configuration),
                transformer: SpatialTransformer(position, configuration) { scope in
                    Block(scope, position.outputs, configuration)
                })
        }
    }

    /// - Parameter folder: a published `unet` folder, config.json and weights.
    /// - Throws: `LoopyError` for another architecture, and for files that cannot be used.
    public init(folder: String, device: Device = .cpu) throws {
        let configuration = try UNetConfiguration(contentsOf: folder + "/config.json")
        self = try ParameterStore.load(Checkpoint(folder), device: device) {
            PlainUNet($0, configuration)
        }
    }

    /// - Parameters:
    ///   - latents: `[B, C, H, W]`.
    ///   - timesteps: `[B]`.
    ///   - text: hidden states of the text encoder `[B, N, C]`.
    /// - Returns: the prediction `[B, C, H, W]`.
    public func callAsFunction(
        _ latents: Tensor, _ timesteps: Tensor, text: Tensor? = nil
    ) -> Tensor {
        frame(latents, embedding: frame.embed(timesteps)) { layer, _, inputs, embedding in
            let x = layer.residual(inputs, embedding)
            return layer.transformer?(x) { $0($1, text: text) } ?? x
        }
    }
}

extension PlainUNet.Block {
    init(_ scope: Scope, _ channels: Int, _ configuration: UNetConfiguration) {
        let heads = configuration.heads
        norm1 = LayerNorm(scope["norm1"], channels)
        selfAttention = Attention(scope["attn1"], channels, heads: heads)
        text = configuration.textChannels.map { textChannels in
            (
                LayerNorm(scope["norm2"], channels),
                Attention(scope["attn2"], channels, context: textChannels, heads: heads)
            )
        }
        norm3 = LayerNorm(scope["norm3"], channels)
        feedForward = FeedForward(scope["ff"], channels)
    }

    func callAsFunction(_ x: Tensor, text states: Tensor?) -> Tensor {
        var x = x + selfAttention(norm1(x))
        if let text, let states { x = x + text.attention(text.norm(x), states) }
        return x + feedForward(norm3(x))
    }
}

extension ResidualBlock {
    /// Makes the residual block of a layer of a U-Net.
    public init<Layer>(_ position: UNet<Layer>.LayerPosition, _ configuration: UNetConfiguration) {
        self.init(
            position.scope["resnets"][position.index], position.inputs, position.outputs,
            embedding: configuration.embeddingWidth, groups: configuration.groups, epsilon: 1e-5)
    }

    /// - Parameter inputs: joined along channels.
    public func callAsFunction(_ inputs: [Tensor], _ embedding: Tensor) -> Tensor {
        self(inputs.count == 1 ? inputs[0] : concatenated(inputs, along: 1), embedding)
    }
}

extension SpatialTransformer {
    /// Makes the spatial transformer of a layer of a U-Net; nil where there is none.
    public init?<Layer>(
        _ position: UNet<Layer>.LayerPosition, _ configuration: UNetConfiguration,
        makeBlock: (Scope) -> Block
    ) {
        guard position.hasAttention else { return nil }
        self.init(
            position.scope["attentions"][position.index], position.outputs,
            groups: configuration.groups,
            makeBlock: makeBlock)
    }
}

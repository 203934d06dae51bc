import Diffusion
import Torch

// Shapes: B samples, F frames of a clip, M motion frames, C channels, H W rows and columns, N = H W tokens,
// W audio width, E width of the timestep embedding.

/// The denoising net (section 3.1): the U-Net of Stable Diffusion on the frames of a clip. Each layer is
/// a residual block, spatial attention with the reference and with audio, then the inter-clip and the
/// intra-clip temporal layer.
struct DenoisingNet {
    fileprivate struct Layer {
        let residual: ResidualBlock
        let transformer: SpatialTransformer<DenoisingBlock>?
        /// Nil in the first stage of training.
        let interClip: TemporalLayer?, intraClip: TemporalLayer?
    }

    /// What the frames of a clip are denoised with.
    struct Context {
        /// B.
        var samples: Int
        /// Audio tokens, `[B F, 5, W]`.
        var audio: Tensor?
        /// What the motion latents add to the timestep embedding, `[B F, E]`.
        var motionLatents: Tensor?
        /// The reference images' latents, `[B, C, h, w]`, zeros where they are dropped; nil where the net
        /// does not see them.
        var referenceLatents: Tensor?
        /// Nil where no sample has anything of the reference net.
        var reference: ReferenceFeatures?
        /// Which samples have a reference image; nil where all have, or none. The tokens in `reference`
        /// are of those alone.
        var imageDivision: ReferenceDivision?
        /// Which samples have motion frames, likewise.
        var motionDivision: ReferenceDivision?
        /// Which motion frames each of these samples sees, `[B, M]`; nil for all.
        var seesMotionFrame: Tensor?
    }

    private let frame: UNet<Layer>

    init(_ scope: Scope, _ configuration: LoopyConfiguration) {
        let unet = configuration.denoisingUNet
        frame = UNet(scope, unet) { position in
            let isVideo = configuration.stage.isVideo
            return Layer(
                residual: ResidualBlock(position, unet),
                transformer: SpatialTransformer(position, unet) {
                    DenoisingBlock($0, position.outputs, configuration)
                },
                interClip: isVideo
                    ? TemporalLayer(
                        position.scope["inter_clip"][position.index], position.outputs,
                        motionFrames: configuration.motionFrames, configuration) : nil,
                intraClip: isVideo
                    ? TemporalLayer(
                        position.scope["intra_clip"][position.index], position.outputs,
                        motionFrames: 0,
                        configuration) : nil)
        }
    }

    /// - Parameters:
    ///   - latents: `[B F, C, h, w]`.
    ///   - timesteps: `[B F]`.
    ///   - gradientCheckpointing: whether the backward pass computes layers again instead of keeping
    ///     what they computed.
    ///   - deep: takes the deep layers' features; where it holds some, these layers do not run.
    /// - Returns: the prediction, `[B F, C, h, w]`.
    func callAsFunction(
        _ latents: Tensor, _ timesteps: Tensor, _ context: Context, gradientCheckpointing: Bool,
        deep: DeepFeatures?
    ) -> Tensor {
        var embedding = frame.embed(timesteps)
        if let motionLatents = context.motionLatents { embedding = embedding + motionLatents }
        var latents = latents
        if let reference = context.referenceLatents {
            let ofFrames = reference.repeatInterleave(
                latents.length(0) / context.samples, along: 0)
            latents = concatenated([latents, ofFrames], along: 1)
        }

        return frame(latents, embedding: embedding, deep: deep) {
            layer, number, inputs, embedding in
            let reference = context.reference?.layers[number]
            return gradientCheckpointed(
                when: gradientCheckpointing, inputs, embedding, context.audio, reference?.spatial,
                reference?.motion
            ) { inputs, embedding, audio, spatial, motion in
                let x = layer(
                    inputs, embedding: embedding, audio: audio, spatial: spatial, motion: motion,
                    context)
                return [x]
            }[0]
        }
    }
}

extension DenoisingNet.Layer {
    func callAsFunction(
        _ inputs: [Tensor], embedding: Tensor, audio: Tensor?, spatial: Tensor?, motion: Tensor?,
        _ context: DenoisingNet.Context
    ) -> Tensor {
        var x = residual(inputs, embedding)
        let frames = x.length(0) / context.samples
        if let transformer {
            x = transformer(x) { block, tokens in
                block(tokens, reference: spatial, context.imageDivision, audio: audio)
            }
        }
        if let interClip {
            // Samples that are taken out of a batch lose the layout.
            x = context.motionDivision.running(motion, x) { motion, x in
                interClip(
                    x.channelsLast(), samples: x.length(0) / frames, motion: motion,
                    isVisible: motion == nil ? nil : context.seesMotionFrame)
            }.channelsLast()
        }
        if let intraClip { x = intraClip(x, samples: context.samples) }
        return x
    }
}

/// The denoising net's transformer block: spatial self-attention that sees the reference too, audio
/// attention where Stable Diffusion's text attention stood, and the feed-forward layer.
struct DenoisingBlock {
    private let norm1: LayerNorm, selfAttention: Attention
    /// Nil in the first stage of training.
    private let audio: (norm: LayerNorm, attention: Attention)?
    private let norm3: LayerNorm, feedForward: FeedForward
    /// Whether the reference comes as keys and values.
    private let isReferenceProjected: Bool

    init(_ scope: Scope, _ channels: Int, _ configuration: LoopyConfiguration) {
        let heads = configuration.heads
        isReferenceProjected = configuration.readings.referenceProjections == .referenceNet
        norm1 = LayerNorm(scope["norm1"], channels)
        selfAttention = Attention(scope["attn1"], channels, heads: heads)
        audio =
            configuration.stage == .image
            ? nil
            : (
                LayerNorm(scope["audio_norm"], channels),
                Attention(
                    scope["audio_attn"], channels, context: configuration.audioWidth, heads: heads,
                    startsAtZero: true)
            )
        norm3 = LayerNorm(scope["norm3"], channels)
        feedForward = FeedForward(scope["ff"], channels)
    }

    /// - Parameters:
    ///   - tokens: `[B F, N, C]`.
    ///   - reference: the references' tokens in this layer, `[B, N, C]`, or keys and values of them,
    ///     `[B, N, 2 C]`, of the samples that have one.
    ///   - audio: `[B F, 5, W]`.
    func callAsFunction(
        _ tokens: Tensor, reference: Tensor?, _ division: ReferenceDivision?,
        audio tokensOfAudio: Tensor?
    ) -> Tensor {
        let attended = division.running(reference, norm1(tokens)) { reference, normed in
            var context = selfAttention.keysAndValues(normed)
            if let reference {
                // The same for all frames of a clip, so projected once.
                let other =
                    isReferenceProjected
                    ? selfAttention.keysAndValues(joined: reference)
                    : selfAttention.keysAndValues(reference)
                context.keys = joined(context.keys, other.keys)
                context.values = joined(context.values, other.values)
            }
            return selfAttention.attend(normed, context)
        }
        var x = tokens + attended
        if let audio, let tokensOfAudio {
            x = x + audio.attention(audio.norm(x), tokensOfAudio)
        }
        return x + feedForward(norm3(x))
    }

    /// Keys or values of the frames, with those of the reference behind them, along tokens.
    ///
    /// - Parameters:
    ///   - own: `[B F, heads, N, C]`.
    ///   - reference: `[B, heads, N, C]`.
    private func joined(_ own: Tensor, _ reference: Tensor) -> Tensor {
        let own = own.perSample(reference.length(0))
        let other = reference.unsqueezed(1).expanded(-1, own.length(1), -1, -1, -1)
        return concatenated([own, other], along: 3).flattened(from: 0, through: 1)
    }
}

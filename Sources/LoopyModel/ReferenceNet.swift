import Diffusion
import Torch

// Shapes: B samples, M motion frames, C channels, H W rows and columns, N = H W tokens, h w of latents.

/// What the reference net gives the denoising net, layer by layer, in the order in which layers run: of
/// the samples that have a reference.
public struct ReferenceFeatures {
    public struct Layer {
        /// The reference image's tokens, as its spatial attention saw them: `[B, N, C]`; or its keys and
        /// values, `[B, N, 2 C]`, where `Readings` has the reference net project them. Nil where there
        /// is no spatial attention.
        public var spatial: Tensor?
        /// The motion frames' features: `[B, M, C, H, W]`. Nil where there are none.
        public var motion: Tensor?
    }

    public var layers: [Layer]

    mutating func mapSpatial(_ change: (Tensor) -> Tensor?) {
        for index in layers.indices {
            layers[index].spatial = layers[index].spatial.flatMap(change)
        }
    }

    mutating func mapMotion(_ change: (Tensor) -> Tensor?) {
        for index in layers.indices { layers[index].motion = layers[index].motion.flatMap(change) }
    }
}

/// The reference net (section 3.1): the U-Net of Stable Diffusion again, with weights of its own. It sees
/// the reference image's latents and the motion frames', frame by frame, once for a clip, at timestep 0.
///
/// Features come back as values. Where others keep banks that one net fills and the other empties,
/// gradient checkpointing and accumulation get gradients wrong.
struct ReferenceNet {
    fileprivate struct Layer {
        let residual: ResidualBlock
        let transformer: SpatialTransformer<Block>?
        /// Whether no layer sees what comes out.
        let isLast: Bool
    }

    fileprivate struct Block {
        let norm1: LayerNorm, selfAttention: Attention
        let norm3: LayerNorm, feedForward: FeedForward
    }

    private let frame: UNet<Layer>
    private let projects: Bool

    init(_ scope: Scope, _ configuration: LoopyConfiguration) {
        let unet = configuration.unet
        projects = configuration.readings.referenceProjections == .referenceNet
        frame = UNet(scope, unet, hasOutput: false) { position in
            Layer(
                residual: ResidualBlock(position, unet),
                transformer: SpatialTransformer(position, unet) { scope in
                    Block(
                        norm1: LayerNorm(scope["norm1"], position.outputs),
                        selfAttention: Attention(
                            scope["attn1"], position.outputs, heads: unet.heads),
                        norm3: LayerNorm(scope["norm3"], position.outputs),
                        feedForward: FeedForward(scope["ff"], position.outputs))
                },
                isLast: position.isUp && position.level == 0
                    && position.index == unet.layersPerBlock)
        }
    }

    /// - Parameters:
    ///   - reference: `[B, C, h, w]`.
    ///   - motionFrames: `[B, M, C, h, w]`.
    ///   - zeros: the number of motion frames whose features are zero where there are none.
    ///   - gradientCheckpointing: whether the backward pass computes layers again instead of keeping
    ///     what they computed.
    func callAsFunction(
        _ reference: Tensor, motionFrames: Tensor?, zeros: Int = 0, gradientCheckpointing: Bool
    ) -> ReferenceFeatures {
        // The reference image, then the motion frames: one batch of pictures.
        var latents = reference.unsqueezed(1)
        if let motionFrames { latents = concatenated([latents, motionFrames], along: 1) }
        let (samples, pictures) = (latents.length(0), latents.length(1))
        let timesteps = Tensor.zeros([samples * pictures], type: .int64, device: latents.device)

        var features: [ReferenceFeatures.Layer] = []
        _ = frame(
            latents.flattened(from: 0, through: 1), embedding: frame.embed(timesteps)
        ) { layer, _, inputs, embedding in
            let results = gradientCheckpointed(when: gradientCheckpointing, inputs, embedding) {
                inputs, embedding in layer(inputs, embedding, samples, projects: projects)
            }
            let x = results[0]
            var motion: Tensor?
            if pictures > 1 {
                motion = x.perSample(samples)[.all, 1...]
            } else if zeros > 0 {
                motion = .zeros(
                    [samples, zeros] + x.shape[1...], type: x.type, device: x.device)
            }
            features.append(
                ReferenceFeatures.Layer(
                    spatial: results.count > 1 ? results[1] : nil, motion: motion))
            return x
        }
        return ReferenceFeatures(layers: features)
    }
}

extension ReferenceNet.Layer {
    /// - Returns: the layer's result, and where it has spatial attention what that saw of the reference.
    func callAsFunction(
        _ inputs: [Tensor], _ embedding: Tensor, _ samples: Int, projects: Bool
    ) -> [Tensor] {
        let x = residual(inputs, embedding)
        guard let transformer else { return [x] }
        var spatial: Tensor?
        let result = transformer(x) { block, tokens in
            let normed = block.norm1(tokens)
            // A copy: a view would keep the motion frames' tokens in memory.
            let pictures = normed.perSample(samples)
            let tokensOfReference = pictures[.all, 0].copy()
            spatial =
                projects
                ? block.selfAttention.joinedKeysAndValues(tokensOfReference) : tokensOfReference
            // Only motion frames are asked for further.
            if isLast, pictures.length(1) == 1 { return tokens }
            let tokens = tokens + block.selfAttention(normed)
            return tokens + block.feedForward(block.norm3(tokens))
        }
        return [result] + (spatial.map { [$0] } ?? [])
    }
}

extension Tensor {
    /// `[B N, …]` to `[B, N, …]`.
    func perSample(_ samples: Int) -> Tensor {
        reshaped([samples, length(0) / samples] + shape[1...])
    }
}

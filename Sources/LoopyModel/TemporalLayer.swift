import Diffusion
import Foundation
import Torch

// Shapes: B samples, F frames of a clip, M motion frames, C channels, H W rows and columns.

/// A temporal layer (section 3.2): self-attention over time, at every pixel of the features.
///
/// The *inter-clip* layer comes first. It sees the motion frames' features from the reference net beside
/// the clip's own, joined along time; learnable temporal embeddings tell them apart, and the clip's part
/// is kept. The *intra-clip* layer, second, sees the clip alone. Each has weights of its own.
///
/// The structure and the names are those of AnimateDiff's motion modules (`temporal_transformer`), whose
/// weights the intra-clip layer may begin with; `Readings` may leave one of the two attentions out. The
/// last projection begins at zero, so that a new layer changes nothing.
///
/// Positions rise with time, through the motion frames into the clip: the nearest motion frame has the
/// position before that of the clip's first frame.
struct TemporalLayer {
    /// Self-attention on normalised tokens to which their position in time was added.
    private struct Step {
        let norm: LayerNorm
        let attention: Attention
        /// `[1, M + F, C]`: the motion frames' embeddings, then the clip's.
        let position: Tensor
    }

    private let norm: GroupNorm
    private let projectIn: Linear
    private let steps: [Step]
    private let feedForwardNorm: LayerNorm, feedForward: FeedForward
    private let projectOut: Linear
    /// M; 0 for an intra-clip layer.
    private let motionFrames: Int

    /// - Parameter motionFrames: M, for an inter-clip layer; 0 for an intra-clip layer.
    init(
        _ scope: Scope, _ channels: Int, motionFrames: Int, _ configuration: LoopyConfiguration
    ) {
        let length = motionFrames + configuration.frames
        norm = GroupNorm(
            scope["norm"], groups: configuration.normGroups, channels, epsilon: 1e-6)
        projectIn = Linear(scope["proj_in"], channels, channels)
        let block = scope["transformer_blocks"][0]
        steps = (0..<configuration.readings.temporalAttentions).map { index in
            let attention = block["attention_blocks"][index]
            return Step(
                norm: LayerNorm(block["norms"][index], channels),
                attention: Attention(attention, channels, heads: configuration.heads),
                position: attention["pos_encoder"].parameter(
                    "pe", [1, length, channels], .values { Self.sinusoids(length, channels) }))
        }
        feedForwardNorm = LayerNorm(block["ff_norm"], channels)
        feedForward = FeedForward(block["ff"], channels)
        projectOut = Linear(scope["proj_out"], channels, channels, initial: .constant(0))
        self.motionFrames = motionFrames
    }

    /// - Parameters:
    ///   - x: the clips' frames, `[B F, C, H, W]`.
    ///   - motion: the motion frames' features from this layer, `[B, M, C, H, W]`, in the order of time;
    ///     nil where no sample has any.
    ///   - isVisible: which of the M motion frames each sample sees, `[B, M]`; nil for all.
    func callAsFunction(
        _ x: Tensor, samples: Int, motion: Tensor? = nil, isVisible: Tensor? = nil
    ) -> Tensor {
        let frames = x.length(0) / samples
        var tokens = tokens(x, samples)
        if let motion {
            tokens = concatenated(
                [self.tokens(motion.flattened(from: 0, through: 1), samples), tokens], along: 1)
        }
        let seen = tokens.length(1) - frames  // motion frames among the tokens
        let positions = (motionFrames - seen)..<(motionFrames + frames)
        let pixels = tokens.length(0) / samples
        let mask = seen == 0 ? nil : isVisible.map { Self.mask($0, frames: frames, pixels: pixels) }

        for (index, step) in steps.enumerated() {
            let normed = step.norm(tokens) + step.position[.all, positions]
            // What the last attention makes of motion frames, nobody sees.
            let isLast = index == steps.count - 1
            let attended = step.attention.attend(
                isLast ? normed[.all, seen...] : normed, step.attention.keysAndValues(normed),
                mask: mask)
            tokens = (isLast ? tokens[.all, seen...] : tokens) + attended
        }
        tokens = tokens + feedForward(feedForwardNorm(tokens))
        return x + picture(projectOut(tokens), like: x, samples)
    }

    /// Frames `[B N, C, H, W]`, normalised one by one, to sequences over time `[B H W, N, C]`.
    private func tokens(_ frames: Tensor, _ samples: Int) -> Tensor {
        let shape = frames.shape
        let tokens = projectIn(norm(frames).permuted(0, 2, 3, 1))
        return tokens.reshaped(samples, shape[0] / samples, shape[2] * shape[3], shape[1])
            .transposed(1, 2).flattened(from: 0, through: 1)
    }

    /// Sequences `[B H W, F, C]` to frames of the shape of `x`.
    private func picture(_ tokens: Tensor, like x: Tensor, _ samples: Int) -> Tensor {
        let shape = x.shape
        return tokens.reshaped(samples, shape[2] * shape[3], -1, shape[1]).transposed(1, 2)
            .reshaped(shape[0], shape[2], shape[3], shape[1]).permuted(0, 3, 1, 2)
    }

    /// `[B, M]` to `[B H W, 1, 1, M + F]`: every frame of the clip is seen.
    private static func mask(_ isVisible: Tensor, frames: Int, pixels: Int) -> Tensor {
        let samples = isVisible.length(0)
        let clip = Tensor.ones([samples, frames], type: isVisible.type, device: isVisible.device)
        return concatenated([isVisible, clip], along: 1).unsqueezed(1)
            .expanded(-1, pixels, -1).reshaped(samples * pixels, 1, 1, -1)
    }

    /// The table of AnimateDiff: sine and cosine of wavelengths from 2π to 20000π, in turn. `[1, length, channels]`.
    private static func sinusoids(_ length: Int, _ channels: Int) -> Tensor {
        var values: [Float] = []
        for position in 0..<length {
            for channel in 0..<channels {
                let exponent = Double(channel / 2 * 2) / Double(channels)
                let angle = Double(position) / pow(10_000, exponent)
                values.append(Float(channel % 2 == 0 ? sin(angle) : cos(angle)))
            }
        }
        return Tensor(values, shape: [1, length, channels])
    }
}

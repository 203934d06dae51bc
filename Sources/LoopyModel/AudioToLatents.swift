import Diffusion
import Torch

// Shapes: B samples, F frames, W audio width, K learnable embeddings, D width of motion latents,
// E width of the timestep embedding.

/// The audio-to-latents module (section 3.3, figure 4): conditions that are tied to the face's movement
/// strongly (landmarks, variances) or weakly (speech) are mapped to one space of motion latents, which
/// are added to the timestep embedding.
///
/// Learnable embeddings are keys and values, the condition is the query. Training draws one of the four
/// conditions for each sample; in use it is speech.
public struct AudioToLatents {
    public struct Configuration: Codable, Sendable, Equatable {
        /// K.
        public var embeddings = 64
        /// D.
        public var width = 768
        public var heads = 8
        /// Whether queries and keys are normalised, head by head (Dehghani et al. 2023). Otherwise large
        /// queries end in attention to a single embedding, whatever is heard, from which no gradient
        /// leads back.
        public var qkNorm = false
        /// Whether there is a layer that reads the mouth's shape from motion latents, for training.
        public var mouthHead = false

        public init() {}

        init(embeddings: Int, width: Int, heads: Int) {
            self.embeddings = embeddings
            self.width = width
            self.heads = heads
        }
    }

    private let embeddings: Tensor
    private let toK: Linear, toV: Linear
    /// The layers that make a query of each condition.
    private let audio: Linear, landmarks: Linear, headMotion: Linear, expression: Linear
    private let projection: Linear
    /// Reads the mouth's shape from motion latents.
    private let mouthHead: Linear?
    private let heads: Int
    private let hasNorm: Bool

    init(_ scope: Scope, _ configuration: LoopyConfiguration) {
        let size = configuration.motionLatents, width = size.width
        embeddings = scope.parameter("embeddings", [size.embeddings, width], .normal(1))
        toK = Linear(scope["to_k"], width, width)
        toV = Linear(scope["to_v"], width, width)
        audio = Linear(scope["audio"], AudioEmbedding.window * configuration.audioWidth, width)
        landmarks = Linear(scope["landmarks"], 2 * Self.landmarkCount, width)
        headMotion = Linear(scope["head_motion"], 1, width)
        expression = Linear(scope["expression"], 1, width)
        projection = Linear(
            scope["projection"], width, configuration.unet.embeddingWidth, initial: .constant(0))
        mouthHead =
            size.mouthHead ? Linear(scope["mouth_head"], width, MouthShape.length) : nil
        heads = size.heads
        hasNorm = size.qkNorm
    }

    /// The number of key points of the iBUG layout.
    private static let landmarkCount = 68

    /// - Parameters:
    ///   - tokens: the audio embedding, `[B, F, 5, W]`.
    ///   - movement: may be missing where every sample's source is audio.
    ///   - isMasked: whether each sample goes without motion latents.
    /// - Returns: what is added to the timestep embedding, `[B, F, E]`.
    func callAsFunction(
        _ tokens: Tensor, _ movement: Conditions.FacialMovement?, _ sources: [MotionSource],
        isMasked: [Bool]
    ) -> Tensor {
        let motionLatents = attended(query(tokens, movement, sources))
        return projection(motionLatents.zeroed(where: isMasked))
    }

    /// Motion latents, `[B, F, D]`, of a query, `[B, F, D]`.
    private func attended(_ query: Tensor) -> Tensor {
        let samples = query.length(0)
        func normed(_ x: Tensor) -> Tensor {
            hasNorm ? layerNorm(x, nil, nil, over: [x.length(-1)], epsilon: 1e-5) : x
        }
        return scaledDotProductAttention(
            normed(query.split(heads: heads)), normed(shared(toK(embeddings), samples)),
            shared(toV(embeddings), samples)
        ).joinedHeads()
    }

    /// Compares the mouth's shape that is read from motion latents, those of audio and those of landmarks,
    /// with the true one: the mean of the squared differences.
    ///
    /// What the paper wants of the shared space, that audio learns from landmarks what moves with it, is
    /// asked for here: a denoising loss says little of the mouth, and in most samples nothing.
    ///
    /// - Parameters:
    ///   - isMasked: whether each sample goes without audio.
    ///   - heardPart: the part of samples that have audio; that of these when left out.
    /// - Returns: nil for a module without such a layer, and where every sample goes without audio.
    func mouthLoss(
        _ tokens: Tensor, _ movement: Conditions.FacialMovement, isMasked: [Bool],
        heardPart: Double? = nil
    ) -> Tensor? {
        guard let mouthHead, isMasked.contains(false) else { return nil }
        let shape = MouthShape.of(movement.landmarks)
        let heard = Tensor(
            isMasked.map { $0 ? Float(0) : 1 }, shape: [isMasked.count, 1, 1],
            device: tokens.device)
        func loss(_ query: Tensor) -> Tensor {
            let difference = (mouthHead(attended(query)).to(.float32) - shape) * heard
            let mean = difference.square().mean()
            return heardPart.map { mean / $0 } ?? mean / heard.mean()
        }
        return loss(audio(tokens.flattened(from: 2)))
            + loss(landmarks(movement.landmarks.flattened(from: 2)))
    }

    /// Each sample's query, from the source that was drawn for it: `[B, F, D]`.
    private func query(
        _ tokens: Tensor, _ movement: Conditions.FacialMovement?, _ sources: [MotionSource]
    ) -> Tensor {
        let fromAudio = audio(tokens.flattened(from: 2))
        guard let movement, sources.contains(where: { $0 != .audio }) else { return fromAudio }
        let frames = fromAudio.length(1)
        // A variance is one number for the clip. Its root, in parts of a hundred of the crop's side, is
        // about one for a usual face.
        func query(_ variance: Tensor, _ layer: Linear) -> Tensor {
            let deviation = variance.sqrt() * 100
            return layer(deviation.reshaped(-1, 1, 1)).expanded(-1, frames, -1)
        }
        let queries = [
            fromAudio, landmarks(movement.landmarks.flattened(from: 2)),
            query(movement.headMotion, headMotion), query(movement.expression, expression),
        ]
        return stacked(
            sources.enumerated().map { sample, source in queries[source.rawValue][sample] },
            along: 0)
    }

    /// `[K, D]` to `[B, heads, K, D / heads]`, the same for every sample.
    private func shared(_ x: Tensor, _ samples: Int) -> Tensor {
        x.unsqueezed(0).split(heads: heads).expanded(samples, -1, -1, -1)
    }
}

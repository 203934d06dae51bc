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
    private let heads: Int

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
        heads = size.heads
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
        let query = query(tokens, movement, sources)
        let samples = query.length(0)
        let motionLatents = scaledDotProductAttention(
            query.split(heads: heads), shared(toK(embeddings), samples),
            shared(toV(embeddings), samples)
        ).joinedHeads()
        return projection(motionLatents.zeroed(where: isMasked))
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

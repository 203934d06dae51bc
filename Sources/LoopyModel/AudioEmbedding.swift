import Torch

// Shapes: B samples, F frames, L layers and S channels of speech features, W audio width.

/// The audio embedding of each frame (section 3.3): all layers of the speech encoder, for the frame, the
/// two before it and the two after it.
///
/// Five tokens, one a frame. The layers of a frame are joined along channels, brought to a common width
/// and normalised; a learnable embedding tells the five apart.
struct AudioEmbedding {
    /// The number of frames that one embedding covers.
    static let window = 5

    private let projection: Linear
    private let norm: LayerNorm
    private let position: Tensor

    init(_ scope: Scope, _ configuration: LoopyConfiguration) {
        let width = configuration.audioWidth
        projection = Linear(
            scope["projection"], configuration.speechLayers * configuration.speechChannels, width)
        norm = LayerNorm(scope["norm"], width)
        position = scope.parameter("position", [Self.window, width], .normal(0.02))
    }

    /// - Parameters:
    ///   - speech: `[B, F, 5, L, S]`.
    ///   - isMasked: whether each sample goes without audio.
    /// - Returns: `[B, F, 5, W]`.
    func callAsFunction(_ speech: Tensor, isMasked: [Bool]) -> Tensor {
        let features = speech.zeroed(where: isMasked)
        return norm(projection(features.flattened(from: 3))) + position
    }
}

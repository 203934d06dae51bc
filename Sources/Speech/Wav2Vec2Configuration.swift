import Errors
import Foundation

/// The architecture that `config.json` of a wav2vec 2.0 folder in the Hugging Face layout describes. What
/// a file leaves out is as in wav2vec2-base.
public struct Wav2Vec2Configuration: Sendable, Equatable {
    /// How the convolutions' outputs are normalised.
    public enum FeatureNorm: String, Decodable, Sendable {
        /// The first output is normalised, each channel over the whole recording (base).
        case group
        /// Every output is normalised, over the channels of each step (large).
        case layer
    }

    /// The channels C of the transformer, its blocks, its attention heads, and its wide layers' channels.
    public var hiddenSize = 768
    public var blocks = 12
    public var heads = 12
    public var intermediateSize = 3072
    public var epsilon = 1e-5
    /// Whether blocks normalise before attention (large) or after it (base).
    public var normalisesFirst = false
    public var featureNorm = FeatureNorm.group
    /// The channels, kernel sizes and strides of the convolutions.
    public var channels = [512, 512, 512, 512, 512, 512, 512]
    public var kernels = [10, 3, 3, 3, 3, 2, 2]
    public var strides = [5, 2, 2, 2, 2, 2, 2]
    public var convolutionBias = false
    /// The kernel size and the groups of the convolution that tells positions.
    public var positionKernel = 128
    public var positionGroups = 16

    public init() {}

    /// The samples between the starts of two steps: 320.
    public var hop: Int { strides.reduce(1, *) }

    /// The samples that one step is computed from: 400.
    public var receptiveField: Int {
        zip(kernels, strides).reversed().reduce(1) { ($0 - 1) * $1.1 + $1.0 }
    }

    /// The number of steps that some samples give; 0 when they are too few.
    public func steps(samples: Int) -> Int {
        zip(kernels, strides).reduce(samples) { $0 < $1.0 ? 0 : ($0 - $1.0) / $1.1 + 1 }
    }

    /// The number of hidden states: the blocks' input, and the output of each.
    public var layers: Int { blocks + 1 }

    /// Reads a file.
    ///
    /// - Throws: `LoopyError` `.missing` when there is none; `.malformed` when it is not a configuration of wav2vec 2.0, or asks
    ///   for what this implementation does not have.
    public init(contentsOf path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw LoopyError(
                .missing, "\(path): is missing; a wav2vec2 folder holds config.json and the weights"
            )
        }
        do {
            self = try JSONDecoder().decode(Wav2Vec2Configuration.self, from: data)
        } catch let error as DecodingError {
            throw LoopyError(.malformed, "\(path): is no configuration of wav2vec2 (\(error))")
        } catch let error as LoopyError {
            throw LoopyError(error.category, "\(path): \(error.message)")
        }
    }
}

extension Wav2Vec2Configuration: Decodable {
    private enum CodingKeys: String, CodingKey {
        case modelType = "model_type"
        case hiddenSize = "hidden_size"
        case blocks = "num_hidden_layers"
        case heads = "num_attention_heads"
        case intermediateSize = "intermediate_size"
        case epsilon = "layer_norm_eps"
        case normalisesFirst = "do_stable_layer_norm"
        case featureNorm = "feat_extract_norm"
        case channels = "conv_dim"
        case kernels = "conv_kernel"
        case strides = "conv_stride"
        case convolutionBias = "conv_bias"
        case positionKernel = "num_conv_pos_embeddings"
        case positionGroups = "num_conv_pos_embedding_groups"
        case activation = "hidden_act"
        case featureActivation = "feat_extract_activation"
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func read<Value: Decodable>(_ key: CodingKeys, _ value: inout Value) throws {
            value = try container.decodeIfPresent(Value.self, forKey: key) ?? value
        }
        self.init()
        try read(.hiddenSize, &hiddenSize)
        try read(.blocks, &blocks)
        try read(.heads, &heads)
        try read(.intermediateSize, &intermediateSize)
        try read(.epsilon, &epsilon)
        try read(.normalisesFirst, &normalisesFirst)
        try read(.featureNorm, &featureNorm)
        try read(.channels, &channels)
        try read(.kernels, &kernels)
        try read(.strides, &strides)
        try read(.convolutionBias, &convolutionBias)
        try read(.positionKernel, &positionKernel)
        try read(.positionGroups, &positionGroups)

        var modelType = "wav2vec2", activation = "gelu", featureActivation = "gelu"
        try read(.modelType, &modelType)
        try read(.activation, &activation)
        try read(.featureActivation, &featureActivation)
        guard modelType == "wav2vec2" else {
            throw LoopyError(.malformed, "describes a '\(modelType)', not a wav2vec2")
        }
        guard activation == "gelu", featureActivation == "gelu" else {
            throw LoopyError(.malformed, "asks for activations other than gelu")
        }
        let sizes =
            [hiddenSize, blocks, heads, intermediateSize, positionKernel, positionGroups] + channels
            + kernels + strides
        guard sizes.allSatisfy({ $0 > 0 }), channels.count == kernels.count,
            channels.count == strides.count, !channels.isEmpty, hiddenSize % heads == 0,
            hiddenSize % positionGroups == 0
        else { throw LoopyError(.malformed, "its sizes do not fit together") }
    }
}

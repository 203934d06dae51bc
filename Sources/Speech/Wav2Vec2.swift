// wav2vec 2.0 (Baevski et al., 2020, arXiv:2006.11477), figure 1, from bottom to top: the raw wave X,
// the feature encoder (convolutions) to latent speech representations Z, the transformer to context
// representations C. Quantisation belongs to its training and is left out.
//
// Agrees with `transformers`' Wav2Vec2Model, base and large; names of weights are that model's.
//
//   S samples   T steps of 20 ms (or what they were interpolated to)   C channels   L blocks + 1

import Torch
import Weights

/// The network, without dropout or masking: it is applied and never trained.
public struct Wav2Vec2 {
    public let configuration: Wav2Vec2Configuration
    public let featureEncoder: FeatureEncoder
    let featureProjection: FeatureProjection
    let transformer: Transformer

    package init(_ scope: Scope, _ configuration: Wav2Vec2Configuration) {
        self.configuration = configuration
        featureEncoder = FeatureEncoder(scope["feature_extractor"], configuration)
        featureProjection = FeatureProjection(scope["feature_projection"], configuration)
        transformer = Transformer(scope["encoder"], configuration)
    }

    /// Maps latent speech representations to all hidden states.
    ///
    /// - Parameter latents: the feature encoder's output, `[T, 512]`.
    /// - Returns: `[T, L, C]`: the transformer's input, and the output of every block.
    public func hiddenStates(_ latents: Tensor) -> Tensor {
        stacked(transformer(featureProjection(latents)), along: 1)
    }
}

/// Maps the wave to latent speech representations: seven convolutions, each followed by GELU.
public struct FeatureEncoder {
    private let layers: [Layer]
    private let norm: Wav2Vec2Configuration.FeatureNorm

    init(_ scope: Scope, _ configuration: Wav2Vec2Configuration) {
        norm = configuration.featureNorm
        layers = configuration.channels.indices.map { index in
            Layer(
                scope["conv_layers"][index], configuration, index,
                inputs: index == 0 ? 1 : configuration.channels[index - 1])
        }
    }

    /// - Parameters:
    ///   - wave: `[S, 1]`: normalised samples.
    ///   - statistics: the statistics of the whole recording that they are a piece of.
    /// - Returns: `[T, 512]`.
    public func callAsFunction(_ wave: Tensor, _ statistics: WaveStatistics) -> Tensor {
        layers.enumerated().reduce(wave) { x, next in
            let isNormalisedByChannel = norm == .group && next.offset == 0
            return next.element(x, isNormalisedByChannel ? statistics : nil)
        }
    }

    /// A convolution over time, a norm, GELU.
    private struct Layer {
        private let convolution: StridedConvolution
        private let groupNorm: GroupNorm?
        private let layerNorm: LayerNorm?

        init(_ scope: Scope, _ configuration: Wav2Vec2Configuration, _ index: Int, inputs: Int) {
            let channels = configuration.channels[index]
            convolution = StridedConvolution(
                scope["conv"], inputs, channels, size: configuration.kernels[index],
                stride: configuration.strides[index], bias: configuration.convolutionBias)
            let normalises = configuration.featureNorm == .layer
            layerNorm = normalises ? LayerNorm(scope["layer_norm"], channels) : nil
            groupNorm =
                index == 0 && !normalises
                ? GroupNorm(scope["layer_norm"], groups: channels, channels) : nil
        }

        func callAsFunction(_ x: Tensor, _ statistics: WaveStatistics?) -> Tensor {
            if let groupNorm, let statistics {
                return convolution.normalised(by: groupNorm, statistics)(x).geluInPlace()
            }
            let y = convolution(x)
            return (layerNorm.map { $0(y) } ?? y).geluInPlace()
        }
    }
}

/// Maps latent speech representations to the transformer's width.
struct FeatureProjection {
    private let layerNorm: LayerNorm
    private let projection: Linear

    init(_ scope: Scope, _ configuration: Wav2Vec2Configuration) {
        let latents = configuration.channels[configuration.channels.count - 1]
        layerNorm = LayerNorm(scope["layer_norm"], latents, epsilon: configuration.epsilon)
        projection = Linear(scope["projection"], latents, configuration.hiddenSize)
    }

    func callAsFunction(_ latents: Tensor) -> Tensor { projection(layerNorm(latents)) }
}

/// Adds positions, then applies blocks of self-attention.
struct Transformer {
    private let position: PositionalConvolution
    private let layerNorm: LayerNorm
    private let blocks: [TransformerBlock]
    private let normalisesFirst: Bool

    init(_ scope: Scope, _ configuration: Wav2Vec2Configuration) {
        position = PositionalConvolution(scope["pos_conv_embed"]["conv"], configuration)
        layerNorm = LayerNorm(
            scope["layer_norm"], configuration.hiddenSize, epsilon: configuration.epsilon)
        blocks = (0..<configuration.blocks).map {
            TransformerBlock(scope["layers"][$0], configuration)
        }
        normalisesFirst = configuration.normalisesFirst
    }

    /// - Parameter x: `[T, C]`.
    /// - Returns: the blocks' input and the output of each, `[T, C]`, as `hidden_states` of
    ///   `transformers` 5. (Version 4 put the norm that ends a large encoder on the last of them.)
    func callAsFunction(_ x: Tensor) -> [Tensor] {
        let positioned = x + position(x)
        var states = [normalisesFirst ? positioned : layerNorm(positioned)]
        for block in blocks { states.append(block(states[states.count - 1])) }
        return states
    }
}

/// Tells relative positions: a grouped convolution over 128 steps, with weight normalisation.
struct PositionalConvolution {
    private let weight: Tensor
    private let bias: Tensor
    private let groups: Int
    private let kernel: Int

    init(_ scope: Scope, _ configuration: Wav2Vec2Configuration) {
        let channels = configuration.hiddenSize
        groups = configuration.positionGroups
        kernel = configuration.positionKernel
        // Files spell the two parts of the normalised weight in the old way or the new.
        let isOld = scope.has("weight_g")
        let parts = isOld ? scope : scope["parametrizations"]["weight"]
        let magnitude = parts.parameter(
            isOld ? "weight_g" : "original0", [1, 1, kernel], .constant(1))
        let direction = parts.parameter(
            isOld ? "weight_v" : "original1", [channels, channels / groups, kernel], .normal(0.02))
        weight = direction * (magnitude / direction.norm([0, 1], keepDim: true))
        bias = scope.parameter("bias", [channels], .constant(0))
    }

    /// Maps `[T, C]` to `[T, C]`.
    func callAsFunction(_ x: Tensor) -> Tensor {
        let y = convolution(
            x.transposed(0, 1).unsqueezed(0), weight, bias, stride: [1], padding: [kernel / 2],
            dilation: [1], groups: groups)
        // An even kernel gives one step too many: the last one goes.
        return y[0, .all, 0..<x.length(0)].transposed(0, 1).gelu()
    }
}

/// A block of self-attention and a wide layer, each added to its input.
struct TransformerBlock {
    private let attention: SelfAttention
    private let layerNorm: LayerNorm
    private let wide: Linear
    private let narrow: Linear
    private let finalLayerNorm: LayerNorm
    private let normalisesFirst: Bool

    init(_ scope: Scope, _ configuration: Wav2Vec2Configuration) {
        let (channels, epsilon) = (configuration.hiddenSize, configuration.epsilon)
        attention = SelfAttention(scope["attention"], channels, heads: configuration.heads)
        layerNorm = LayerNorm(scope["layer_norm"], channels, epsilon: epsilon)
        wide = Linear(
            scope["feed_forward"]["intermediate_dense"], channels, configuration.intermediateSize)
        narrow = Linear(
            scope["feed_forward"]["output_dense"], configuration.intermediateSize, channels)
        finalLayerNorm = LayerNorm(scope["final_layer_norm"], channels, epsilon: epsilon)
        normalisesFirst = configuration.normalisesFirst
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        if normalisesFirst {
            let attended = x + attention(layerNorm(x))
            return attended + feedForward(finalLayerNorm(attended))
        }
        let attended = layerNorm(x + attention(x))
        return finalLayerNorm(attended + feedForward(attended))
    }

    private func feedForward(_ x: Tensor) -> Tensor { narrow(wide(x).geluInPlace()) }
}

/// Self-attention in which every step attends to every step.
struct SelfAttention {
    private let query: Linear, key: Linear, value: Linear, output: Linear
    private let heads: Int

    init(_ scope: Scope, _ channels: Int, heads: Int) {
        query = Linear(scope["q_proj"], channels, channels)
        key = Linear(scope["k_proj"], channels, channels)
        value = Linear(scope["v_proj"], channels, channels)
        output = Linear(scope["out_proj"], channels, channels)
        self.heads = heads
    }

    /// Maps `[T, C]` to `[T, C]`.
    func callAsFunction(_ x: Tensor) -> Tensor {
        let attended = scaledDotProductAttention(
            byHead(query(x)), byHead(key(x)), byHead(value(x)))
        return output(attended.transposed(1, 2).reshaped(x.shape))
    }

    /// Maps `[T, C]` to `[1, heads, T, C / heads]`.
    private func byHead(_ x: Tensor) -> Tensor {
        x.reshaped(1, x.length(0), heads, -1).transposed(1, 2)
    }
}

extension Wav2Vec2 {
    /// Reads a folder in the Hugging Face layout: `config.json`, and `model.safetensors` or
    /// `pytorch_model.bin`.
    ///
    /// - Throws: `LoopyError` that says which file is wrong, and how.
    public init(folder: String, device: Device = .cpu) throws {
        let configuration = try Wav2Vec2Configuration(contentsOf: folder + "/config.json")
        let checkpoint = try Checkpoint(folder)
        self = try withoutGradient {
            try ParameterStore.load(checkpoint, device: device, rename: Wav2Vec2.rename) {
                Wav2Vec2($0, configuration)
            }
        }
    }

    /// The network's name of a tensor, nil for one that it does not need: models made for a task carry
    /// the network under a prefix, and heads.
    private static func rename(_ name: String) -> String? {
        let prefix = "wav2vec2."
        let plain = name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
        let heads = ["lm_head.", "quantizer.", "project_q.", "project_hid.", "masked_spec_embed"]
        return heads.contains { plain.hasPrefix($0) } ? nil : plain
    }
}

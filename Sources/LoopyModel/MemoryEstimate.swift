import Diffusion
import Foundation
import Torch

/// How much memory training and sampling take, by counting what is kept: an estimate of what libtorch
/// has allocated at its highest, without the program, its libraries and the allocator's reserve.
///
/// Training keeps for the backward pass what each operator needs of its inputs and results. The counts
/// below follow the layers' forward passes, in units of one channel at one pixel of the latents.
public struct MemoryEstimate: Sendable {
    /// The bytes of the weights.
    public var weights: Int
    /// The bytes of gradients, and of AdamW's two moments: float32.
    public var gradients: Int
    public var optimiser: Int
    /// The bytes that are kept from forward to backward pass, and what the backward pass adds.
    public var activations: Int
    /// The same with gradient checkpointing.
    public var checkpointedActivations: Int
    /// The bytes of weights, reference features and the largest layer's values, when sampling.
    public var sampling: Int
    /// The bytes of the weights of the model from which a distilled one learns; 0 for others.
    public var teacher: Int

    public var training: Int { weights + gradients + optimiser + activations + teacher }
    public var checkpointedTraining: Int {
        weights + gradients + optimiser + checkpointedActivations + teacher
    }

    /// - Parameters:
    ///   - side: the side of the latents.
    ///   - precision: training keeps weights in float32 in any case.
    ///   - shards: the number of processes that AdamW's moments are shared out among; each has a part of
    ///     the summed gradients besides its own then.
    public init(
        _ configuration: LoopyConfiguration, parameters: Int, batch: Int, side: Int,
        precision: ComputePrecision, shards: Int = 1
    ) {
        let isVideo = configuration.stage.isVideo
        // As real numbers: what no machine could hold is beyond whole numbers, too.
        let clips = Double(batch)
        let frames = clips * Double(isVideo ? configuration.frames : 1)
        let motion = isVideo ? clips * Double(configuration.motionFrames) : 0

        // Every layer's values, its result, and what the denoising net is given of the reference.
        var all = 0.0, results = 0.0, given = 0.0, largest = 0.0
        for layer in Self.layers(configuration, side: side) {
            let outputs = Double(layer.pixels) * Double(layer.outputs)
            let denoising =
                Double(layer.pixels) * frames * Double(layer.denoising(isVideo: isVideo))
            let temporal = isVideo ? outputs * (11 * (frames + motion) + 53 * frames) : 0
            let reference = Double(layer.pixels) * (clips + motion) * Double(layer.reference)
            all += denoising + temporal + reference
            results += outputs * (frames + clips + motion)
            given += outputs * (motion + (layer.hasAttention ? clips : 0))
            largest = max(largest, denoising + temporal, reference)
        }
        func bytes(_ numbers: Double, of size: Int = precision == .float32 ? 4 : 2) -> Int {
            Int(min(numbers * Double(size), 1e18))
        }
        let weights = Double(parameters)
        self.weights = bytes(weights, of: 4)
        gradients = bytes(weights, of: 4)
        teacher = configuration.stage == .distilled ? bytes(weights) : 0
        optimiser = bytes(weights / Double(shards), of: shards > 1 ? 12 : 8)
        // All layers' values when the backward pass begins, and the gradients of the last one's.
        activations = bytes(all + largest)
        // The results of all layers, and one layer's values, twice: with their gradients.
        checkpointedActivations = bytes(results + 2 * largest)
        sampling = bytes(weights + given + results / 2 + largest / 2)
    }

    /// A layer of either net.
    private struct Layer {
        /// The number of pixels, H W.
        let pixels: Int
        let outputs: Int
        let hasAttention: Bool
        /// The residual block: its two inputs joined, four values of its convolutions' inputs and two
        /// of its norms'.
        private let residual: Int

        init(_ position: UNet<Void>.LayerPosition, side: Int) {
            // Rounded up, each time it is halved.
            let side = (0..<position.level).reduce(side) { side, _ in (side + 1) / 2 }
            pixels = side * side
            outputs = position.outputs
            hasAttention = position.hasAttention
            residual = position.inputs * (position.isUp ? 3 : 2) + 4 * position.outputs
        }

        /// Spatial attention with the reference's keys and values, audio attention, feed-forward layer.
        func denoising(isVideo: Bool) -> Int {
            residual + (hasAttention ? outputs * (isVideo ? 33 : 29) : 0)
        }

        var reference: Int { residual + (hasAttention ? outputs * 27 : 0) }
    }

    /// The layers, in the order in which they run.
    private static func layers(_ configuration: LoopyConfiguration, side: Int) -> [Layer] {
        var layers: [Layer] = []
        _ = UNet<Void>(ParameterStore.describing().root, configuration.unet) { position in
            layers.append(Layer(position, side: side))
        }
        return layers
    }

    /// Bytes for people: "9.67 GiB".
    public static func text(_ bytes: Int) -> String {
        String(format: "%.2f GiB", Double(bytes) / Double(1 << 30))
    }
}

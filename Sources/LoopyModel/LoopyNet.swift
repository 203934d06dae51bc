import Diffusion
import Errors
import Torch

// Shapes: B samples, F frames of a clip, M motion frames, C channels and h w rows and columns of latents.

/// Loopy (section 3, figure 2): noisy latents of a clip go in, and the noise in them comes out, given
/// a reference image, the frames before the clip, and speech.
///
/// | section | file |
/// | --- | --- |
/// | 3.1 dual U-Net | `ReferenceNet`, `DenoisingNet` |
/// | 3.1 objective, equation 1 | `Objective` |
/// | 3.2 temporal segments | `TemporalSegments` |
/// | 3.2 inter-clip and intra-clip layers | `TemporalLayer` |
/// | 3.3 audio embedding and attention | `AudioEmbedding`, `DenoisingBlock` |
/// | 3.3 audio-to-latents | `AudioToLatents` |
/// | 3.4 masks and dropout | `ConditionMask` |
/// | 3.4 two stages, initial weights | `LoopyConfiguration.Stage`, `InitialWeights` |
/// | 3.4 guidance | `Guidance` |
public struct LoopyNet {
    public let configuration: LoopyConfiguration
    private let referenceNet: ReferenceNet
    private let denoisingNet: DenoisingNet
    /// Nil in the first stage of training.
    private let audioEmbedding: AudioEmbedding?
    private let audioToLatents: AudioToLatents?

    /// - Throws: `LoopyError` `.configuration` for a configuration that makes no model.
    public init(_ scope: Scope, _ configuration: LoopyConfiguration) throws(LoopyError) {
        try configuration.validate(as: "model")
        self.configuration = configuration
        let isVideo = configuration.stage == .video
        referenceNet = ReferenceNet(scope["reference_net"], configuration)
        denoisingNet = DenoisingNet(scope["denoising_net"], configuration)
        audioEmbedding = isVideo ? AudioEmbedding(scope["audio_embedding"], configuration) : nil
        audioToLatents = isVideo ? AudioToLatents(scope["audio_to_latents"], configuration) : nil
    }

    /// What the nets make of the conditions. It does not depend on the timestep: sampling computes it
    /// once for a clip.
    public struct EncodedConditions {
        var context: DenoisingNet.Context

        /// Nil where every sample's reference is dropped.
        public var reference: ReferenceFeatures? { context.reference }
    }

    /// - Parameters:
    ///   - latents: noisy latents of clips: `[B, F, C, h, w]`.
    ///   - timesteps: a timestep for each sample, `[B]`.
    ///   - gradientCheckpointing: whether the backward pass computes layers again instead of keeping
    ///     what they computed: the same gradients, more time, less memory.
    /// - Returns: noise, or velocity, as the schedule has it: `[B, F, C, h, w]`.
    public func callAsFunction(
        _ latents: Tensor, _ timesteps: Tensor, _ conditions: Conditions,
        gradientCheckpointing: Bool = false
    ) -> Tensor {
        predict(
            latents, timesteps, encode(conditions, gradientCheckpointing: gradientCheckpointing),
            gradientCheckpointing: gradientCheckpointing)
    }

    /// Runs the reference net, and embeds audio.
    public func encode(_ conditions: Conditions, gradientCheckpointing: Bool = false)
        -> EncodedConditions
    {
        var context = DenoisingNet.Context(samples: conditions.masks.count)
        encodeReference(conditions, into: &context, gradientCheckpointing: gradientCheckpointing)
        encodeAudio(conditions, into: &context)
        return EncodedConditions(context: context)
    }

    /// Runs the denoising net. Parameters as above.
    public func predict(
        _ latents: Tensor, _ timesteps: Tensor, _ conditions: EncodedConditions,
        gradientCheckpointing: Bool = false
    ) -> Tensor {
        let frames = latents.length(1)
        let prediction = denoisingNet(
            latents.flattened(from: 0, through: 1), timesteps.repeatInterleave(frames, along: 0),
            conditions.context, gradientCheckpointing: gradientCheckpointing)
        return prediction.reshaped(latents.shape)
    }

    private func encodeReference(
        _ conditions: Conditions, into context: inout DenoisingNet.Context,
        gradientCheckpointing: Bool
    ) {
        let hasReference = conditions.masks.map { !$0.reference }
        guard hasReference.contains(true) else { return }
        let device = conditions.reference.device
        let division = ReferenceDivision(hasReference, device: device)
        /// The part of the samples that have a reference.
        func referenced(_ tensor: Tensor) -> Tensor {
            division.map { tensor.indexSelect($0.referenced, along: 0) } ?? tensor
        }

        var motionFrames: Tensor?
        if configuration.stage == .video, let given = conditions.motionFrames {
            let isVisible = zip(conditions.masks, given.isPresent)
                .filter { mask, _ in !mask.reference }
                .map { mask, isPresent in isPresent.map { $0 && !mask.motionFrames } }
            // Where no sample sees any, the reference net need not look at them.
            if isVisible.contains(where: { $0.contains(true) }) {
                motionFrames = referenced(given.latents)
                if isVisible.contains(where: { $0.contains(false) }) {
                    context.seesMotionFrame = Tensor(
                        isVisible.flatMap { $0 },
                        shape: [isVisible.count, configuration.motionFrames], device: device)
                }
            }
        }
        context.reference = referenceNet(
            referenced(conditions.reference), motionFrames: motionFrames,
            gradientCheckpointing: gradientCheckpointing)
        context.division = division
    }

    private func encodeAudio(_ conditions: Conditions, into context: inout DenoisingNet.Context) {
        guard let audioEmbedding, let audioToLatents, let speech = conditions.speech else { return }
        let masks = conditions.masks
        let tokens = audioEmbedding(speech, isMasked: masks.map(\.audio))
        context.audio = tokens.flattened(from: 0, through: 1)
        context.motionLatents = audioToLatents(
            tokens, conditions.movement, conditions.motionSources,
            isMasked: masks.map(\.motionLatents)
        ).flattened(from: 0, through: 1)
    }

    // MARK: Guidance

    /// The same without audio; the reference net does not run again.
    func silenced(_ encoded: EncodedConditions, _ conditions: Conditions) -> EncodedConditions {
        var conditions = conditions, context = encoded.context
        for sample in conditions.masks.indices { conditions.masks[sample].audio = true }
        encodeAudio(conditions, into: &context)
        return EncodedConditions(context: context)
    }
}

extension LoopyNet.EncodedConditions {
    /// The same with every reference dropped, and the motion frames with it.
    var withoutReference: LoopyNet.EncodedConditions {
        var context = context
        context.reference = nil
        context.division = nil
        context.seesMotionFrame = nil
        return LoopyNet.EncodedConditions(context: context)
    }

    /// One batch of these conditions and others of the same references and motion frames.
    func with(_ other: LoopyNet.EncodedConditions) -> LoopyNet.EncodedConditions {
        func both(_ own: Tensor?, _ others: Tensor?) -> Tensor? {
            own.map { own in others.map { concatenated([own, $0], along: 0) } ?? own }
        }
        /// Repeats a batch, without copying where there is one sample.
        func twice(_ tensor: Tensor?) -> Tensor? {
            guard let tensor else { return nil }
            guard tensor.length(0) == 1 else { return concatenated([tensor, tensor], along: 0) }
            return tensor.expanded([2] + Array(repeating: -1, count: tensor.rank - 1))
        }
        var context = context
        context.samples *= 2
        context.audio = both(context.audio, other.context.audio)
        context.motionLatents = both(context.motionLatents, other.context.motionLatents)
        context.division = context.division.flatMap {
            ReferenceDivision($0.hasReference + $0.hasReference, device: $0.positions.device)
        }
        context.seesMotionFrame = twice(context.seesMotionFrame)
        context.reference = context.reference.map { reference in
            ReferenceFeatures(
                layers: reference.layers.map {
                    ReferenceFeatures.Layer(spatial: twice($0.spatial), motion: twice($0.motion))
                })
        }
        return LoopyNet.EncodedConditions(context: context)
    }
}

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
        let isVideo = configuration.stage.isVideo
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
        if configuration.concatenateReference {
            context.referenceLatents = conditions.reference.zeroed(
                where: conditions.masks.map(\.reference))
        }
        encodeReference(conditions, into: &context, gradientCheckpointing: gradientCheckpointing)
        encodeAudio(conditions, into: &context)
        return EncodedConditions(context: context)
    }

    /// Runs the denoising net. Parameters as above; the prediction is float32 in any case.
    ///
    /// - Parameter deep: takes the deep layers' features; where it holds some, of the same conditions, these layers
    ///   do not run.
    public func predict(
        _ latents: Tensor, _ timesteps: Tensor, _ conditions: EncodedConditions,
        gradientCheckpointing: Bool = false, deep: DeepFeatures? = nil
    ) -> Tensor {
        let frames = latents.length(1)
        let prediction = denoisingNet(
            latents.flattened(from: 0, through: 1), timesteps.repeatInterleave(frames, along: 0),
            conditions.context, gradientCheckpointing: gradientCheckpointing, deep: deep)
        // Autocast would go on in half precision, where guidance multiplies by 5 and by -2.
        return prediction.reshaped(latents.shape).to(.float32)
    }

    private func encodeReference(
        _ conditions: Conditions, into context: inout DenoisingNet.Context,
        gradientCheckpointing: Bool
    ) {
        let readings = configuration.readings, isVideo = configuration.stage.isVideo
        let hasReference = conditions.masks.map { !$0.reference }
        // The samples that the reference net sees.
        let keepsMotion = isVideo && readings.droppedReference == .alone
        let isSeen = keepsMotion ? hasReference.map { _ in true } : hasReference
        guard isSeen.contains(true) else { return }
        let device = conditions.reference.device
        let division = ReferenceDivision(isSeen, device: device)
        func seen(_ tensor: Tensor) -> Tensor {
            division.map { tensor.indexSelect($0.referenced, along: 0) } ?? tensor
        }

        let showsZeros = isVideo && readings.missingMotionFrames == .zeros
        var motionFrames: Tensor?
        /// Which motion frames each sample sees: `[B, M]`; nil for all.
        var sees: Tensor?
        if isVideo, let given = conditions.motionFrames {
            let isVisible = zip(zip(conditions.masks, given.isPresent), isSeen)
                .filter { $1 }
                .map { pair, _ in pair.1.map { $0 && !pair.0.motionFrames } }
            // Where no sample sees any, the reference net need not look at them.
            if isVisible.contains(where: { $0.contains(true) }) {
                motionFrames = seen(given.latents)
                if isVisible.contains(where: { $0.contains(false) }) {
                    sees = Tensor(
                        isVisible.flatMap { $0 },
                        shape: [isVisible.count, configuration.motionFrames], device: device)
                }
            }
        }
        var features = referenceNet(
            seen(conditions.reference), motionFrames: motionFrames,
            zeros: showsZeros ? configuration.motionFrames : 0,
            gradientCheckpointing: gradientCheckpointing)
        if showsZeros, let shown = sees {
            features.mapMotion { $0 * shown.to($0.type)[.all, .all, .newAxis, .newAxis, .newAxis] }
            sees = nil
        }
        context.imageDivision = division
        if keepsMotion {
            context.imageDivision = ReferenceDivision(hasReference, device: device)
            let referenced = context.imageDivision?.referenced
            features.mapSpatial { spatial in
                guard hasReference.contains(true) else { return nil }
                return referenced.map { spatial.indexSelect($0, along: 0) } ?? spatial
            }
        }
        context.reference = features
        context.motionDivision = division
        context.seesMotionFrame = sees
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

    /// What is wrong with the mouth's shape in motion latents; nil where nothing can be said of it.
    ///
    /// - Parameter heardPart: the part of samples that have audio; that of these when left out.
    func mouthLoss(_ conditions: Conditions, heardPart: Double? = nil) -> Tensor? {
        guard let audioEmbedding, let audioToLatents, let speech = conditions.speech,
            let movement = conditions.movement
        else { return nil }
        let isMasked = conditions.masks.map(\.audio)
        return audioToLatents.mouthLoss(
            audioEmbedding(speech, isMasked: isMasked), movement, isMasked: isMasked,
            heardPart: heardPart)
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
    /// The same with every reference dropped, as in training.
    func withoutReference(_ reading: Readings.DroppedReference) -> LoopyNet.EncodedConditions {
        var context = context
        context.referenceLatents = context.referenceLatents.map { $0 * 0 }
        context.imageDivision = nil
        switch reading {
        case .alone: context.reference?.mapSpatial { _ in nil }
        case .withMotionFrames:
            context.reference = nil
            context.motionDivision = nil
            context.seesMotionFrame = nil
        }
        return LoopyNet.EncodedConditions(context: context)
    }

    /// One batch of these conditions and others of the same references and motion frames.
    func with(_ other: LoopyNet.EncodedConditions) -> LoopyNet.EncodedConditions {
        func both(_ own: Tensor?, _ others: Tensor?) -> Tensor? {
            own.map { own in others.map { concatenated([own, $0], along: 0) } ?? own }
        }
        /// Repeats a batch, without copying where there is one sample.
        func twice(_ tensor: Tensor) -> Tensor {
            guard tensor.length(0) == 1 else { return concatenated([tensor, tensor], along: 0) }
            return tensor.expanded([2] + Array(repeating: -1, count: tensor.rank - 1))
        }
        func twice(_ division: ReferenceDivision?) -> ReferenceDivision? {
            division.flatMap {
                ReferenceDivision($0.hasReference + $0.hasReference, device: $0.positions.device)
            }
        }
        var context = context
        context.samples *= 2
        context.audio = both(context.audio, other.context.audio)
        context.motionLatents = both(context.motionLatents, other.context.motionLatents)
        context.referenceLatents = both(context.referenceLatents, other.context.referenceLatents)
        context.imageDivision = twice(context.imageDivision)
        context.motionDivision = twice(context.motionDivision)
        context.seesMotionFrame = context.seesMotionFrame.map(twice)
        context.reference?.mapSpatial(twice)
        context.reference?.mapMotion(twice)
        return LoopyNet.EncodedConditions(context: context)
    }
}

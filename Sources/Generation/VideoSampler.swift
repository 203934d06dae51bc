import Diffusion
import LoopyModel
import Runs
import Torch

// Shapes: F frames of a clip, M motion frames, H frames before it, C channels, height h and width w of latents,
// L layers and S channels of speech features.

/// Latents of a video, clip after clip: each sees the latents before it as its motion frames. The first
/// has none, which is a state that training visits.
///
/// What is drawn for a clip follows from the seed and its number: a video that goes on draws the
/// same.
struct VideoSampler {
    /// The latents of the last frames, as many as the temporal segments reach back: `[H, C, h, w]`.
    private(set) var history: Tensor
    /// The number of clips so far.
    private(set) var clips: Int

    private let portrait: PortraitModel
    private let settings: GenerationSettings
    private let ddim: DDIM
    /// `[1, C, h, w]`
    private let reference: Tensor

    /// - Parameter past: where an interrupted video stands.
    init(
        _ portrait: PortraitModel, _ settings: GenerationSettings, reference: Tensor,
        past: (history: Tensor, clips: Int)? = nil
    ) throws {
        self.portrait = portrait
        self.settings = settings
        self.reference = reference
        ddim = try DDIM(
            portrait.schedule, numInferenceSteps: settings.numInferenceSteps,
            timestepSpacing: settings.timestepSpacing(for: portrait.schedule), eta: settings.eta)
        try settings.validate(as: "generate")
        history =
            past?.history.to(portrait.device)
            ?? .zeros([0] + reference.shape[1...], device: portrait.device)
        clips = past?.clips ?? 0
    }

    /// Samples the latents of the next clip.
    ///
    /// - Parameter speech: the features of the frames f - 2 to f + 2: `[F, 5, L, S]`.
    /// - Returns: `[F, C, h, w]`.
    mutating func next(speech: Tensor, _ times: PartTimes) throws -> Tensor {
        let configuration = portrait.model.configuration
        var words = SeededNumbers("clip", "\(settings.seed)", "\(clips)")
        let generator = try Generator(seed: words.next())
        let shape = [1, configuration.frames] + reference.shape[1...]
        let noise = Tensor.normal(shape, generator: generator).to(portrait.device)

        var conditions = Conditions(
            reference: reference, speech: speech.unsqueezed(0).to(portrait.device))
        if history.length(0) > 0 {
            let motion = configuration.segments.abstract(history, generator: generator)
            conditions.motionFrames = .init(
                latents: motion.frames.unsqueezed(0), isPresent: [motion.isPresent])
        }
        func sample() -> Tensor {
            let guided = times.measure(.reference) {
                GuidedModel(
                    portrait.model, conditions, settings.guidance,
                    together: settings.runsTogether)
            }
            return times.measure(.denoising) {
                guided.sample(noise, ddim, generator: generator)
            }
        }
        let latents = withoutGradient {
            settings.precision.resolved(on: settings.device)
                .computing(on: portrait.device, sample)
        }[0]
        let all = concatenated([history, latents], along: 0)
        let kept = min(all.length(0), configuration.segments.motionFrames)
        // A copy: a view would keep all that came before.
        history = all[(all.length(0) - kept)...].copy()
        clips += 1
        return latents
    }
}

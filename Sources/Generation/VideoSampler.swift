import Diffusion
import LoopyModel
import Runs
import Torch

// Shapes: F frames of a clip, M motion frames, H frames before it, C channels, height h and width w of latents,
// L layers and S channels of speech features.

/// Latents of a video, clip after clip: each sees the latents before it as its motion frames. The first
/// has none, which is a state that training visits, or the portrait's, as if the person had not moved.
///
/// What is drawn for a clip follows from the seed and its number: a video that goes on draws the
/// same.
package struct VideoSampler {
    /// The latents of the last frames, as many as the temporal segments reach back: `[H, C, h, w]`.
    private(set) var history: Tensor
    /// The number of clips so far.
    private(set) var clips: Int

    private let model: LoopyNet
    private let settings: GenerationSettings
    private let solver: Solver
    /// `[1, C, h, w]`
    private let reference: Tensor

    private var device: Device { reference.device }

    /// - Parameters:
    ///   - reference: the latents of the portrait, on the model's device: `[1, C, h, w]`.
    ///   - past: where an interrupted video stands.
    package init(
        _ model: LoopyNet, _ schedule: NoiseSchedule, _ settings: GenerationSettings,
        reference: Tensor, past: (history: Tensor, clips: Int)? = nil
    ) throws {
        self.model = model
        self.settings = settings
        self.reference = reference
        solver = try Solver(
            schedule, settings.solver, numInferenceSteps: settings.numInferenceSteps,
            timestepSpacing: settings.timestepSpacing(for: schedule, model.configuration),
            eta: settings.eta)
        try settings.validate(as: "generate")
        let before = settings.startsFromPortrait ? model.configuration.segments.motionFrames : 0
        history =
            past?.history.to(reference.device)
            ?? reference.expanded([before] + reference.shape[1...]).copy()
        clips = past?.clips ?? 0
    }

    /// Samples the latents of the next clip.
    ///
    /// - Parameter speech: the features of the frames f - 2 to f + 2: `[F, 5, L, S]`.
    /// - Returns: `[F, C, h, w]`.
    package mutating func next(speech: Tensor, _ times: PartTimes) throws -> Tensor {
        var words = SeededNumbers("clip", "\(settings.seed)", "\(clips)")
        let generator = try Generator(seed: words.next())
        let shape = [1, model.configuration.frames] + reference.shape[1...]
        let noise = Tensor.normal(shape, generator: generator).to(device)
        let conditions = conditions(speech: speech, generator: generator)
        func sample() -> Tensor {
            let guided = times.measure(.reference, on: device) {
                GuidedModel(
                    model, conditions, settings.guidance, together: settings.runsTogether)
            }
            return times.measure(.denoising, on: device) {
                guided.sample(
                    noise, solver, generator: generator, cacheInterval: settings.cacheInterval)
            }
        }
        let latents = withoutGradient {
            settings.precision.resolved(on: settings.device)
                .computing(on: device, sample)
        }[0]
        append(latents)
        return latents
    }

    /// What the next clip is made from besides noise.
    ///
    /// - Parameters:
    ///   - speech: as above.
    ///   - generator: draws motion frames, where those are drawn.
    package func conditions(speech: Tensor, generator: Generator) -> Conditions {
        let motion = model.configuration.segments.abstract(history, generator: generator)
        return Conditions(
            reference: reference,
            motionFrames: .init(
                latents: motion.frames.unsqueezed(0), isPresent: [motion.isPresent]),
            speech: speech.unsqueezed(0).to(device))
    }

    /// Adds the latents of a clip to what the clips behind it see.
    ///
    /// - Parameter latents: `[F, C, h, w]`.
    package mutating func append(_ latents: Tensor) {
        let all = concatenated([history, latents], along: 0)
        let kept = min(all.length(0), model.configuration.segments.motionFrames)
        // A copy: a view would keep all that came before.
        history = all[(all.length(0) - kept)...].copy()
        clips += 1
    }
}

import LoopyModel
import Runs
import Torch

// Shapes: B samples, F frames of a clip, C channels, height h and width w of latents.

/// What one forward pass sees: clips, their conditions, and what was drawn for them.
///
/// Everything drawn for a sample follows from the seed and the sample's number, whatever batch it is in:
/// a run that goes on, or that adds up smaller batches, draws the same.
package struct TrainingBatch {
    /// The clean latents: `[B, F, C, h, w]`.
    package var latents: Tensor
    /// `[B, F, C, h, w]`.
    package var noise: Tensor
    package var timesteps: [Int]
    package var conditions: Conditions
    /// The keys of the clips.
    var keys: [String]

    /// - Parameters:
    ///   - first: the number of the first sample, counted from the run's beginning.
    package init(
        _ windows: [ClipWindow], first: Int, settings: TrainingSettings, device: Device
    ) throws {
        var draws: [Draw] = []
        for (index, window) in windows.enumerated() {
            draws.append(try Draw(window, number: first + index, settings))
        }
        self.init(windows, draws, settings.model, device)
        for (sample, draw) in draws.enumerated() {
            conditions.masks[sample] = draw.mask
            conditions.motionSources[sample] = draw.source
        }
    }

    /// A batch for validation: nothing is masked, motion latents come from speech, and timesteps are
    /// spread evenly.
    ///
    /// - Parameter count: the number of windows in all.
    init(
        fixed window: ClipWindow, number: Int, of count: Int, settings: TrainingSettings,
        device: Device
    ) throws {
        var draw = try Draw(window, number: number, settings)
        let steps = settings.schedule.numTrainTimesteps
        draw.timestep = min(steps - 1, (2 * number + 1) * steps / (2 * count))
        self.init([window], [draw], settings.model, device)
    }

    private init(
        _ windows: [ClipWindow], _ draws: [Draw], _ model: LoopyConfiguration, _ device: Device
    ) {
        latents = stacked(windows.map(\.latents), along: 0).to(device)
        noise = stacked(draws.map(\.noise), along: 0).to(device)
        timesteps = draws.map(\.timestep)
        keys = windows.map(\.key)
        conditions = Conditions(reference: stacked(windows.map(\.reference), along: 0).to(device))
        guard model.stage == .video else { return }
        conditions.speech = stacked(windows.map(\.speech), along: 0).to(device)
        conditions.motionFrames = Conditions.MotionFrames(
            latents: stacked(draws.map(\.motion.frames), along: 0).to(device),
            isPresent: draws.map(\.motion.isPresent))
        conditions.movement = Conditions.FacialMovement(
            landmarks: stacked(windows.map(\.landmarks), along: 0).to(device),
            headMotion: Tensor(windows.map(\.headMotion), device: device),
            expression: Tensor(windows.map(\.expression), device: device))
    }
}

/// What is drawn for one sample.
private struct Draw {
    var noise: Tensor
    var timestep: Int
    var mask: ConditionMask
    var source: MotionSource
    var motion: (frames: Tensor, isPresent: [Bool])

    init(_ window: ClipWindow, number: Int, _ settings: TrainingSettings) throws {
        var words = SeededNumbers("sample", "\(settings.seed)", "\(number)")
        let generator = try Generator(seed: words.next())
        let steps = settings.schedule.numTrainTimesteps
        timestep = Int(Tensor.integers(0..<steps, [1], generator: generator).scalar)
        noise = .normal(window.latents.shape, generator: generator)
        if settings.noiseOffset > 0 {
            let channels = window.latents.length(1)
            let shared = Tensor.normal([1, channels, 1, 1], generator: generator)
            noise = noise + shared * settings.noiseOffset
        }
        mask = .drawn(settings.masks, generator)
        source = .drawn(generator)
        motion = settings.model.segments.abstract(window.history, generator: generator)
    }
}

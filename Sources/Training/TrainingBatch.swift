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
    /// The weights of the loss at the pixels of the latents, `[B, F, 1, h, w]`; nil for equal ones.
    var weights: Tensor?
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
        self.init(windows, draws, settings, device)
        for (sample, draw) in draws.enumerated() {
            guard settings.model.stage != .distilled else {
                // As in use: motion frames alone may be missing.
                conditions.masks[sample].motionFrames = draw.mask.motionFrames
                continue
            }
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
        var settings = settings
        settings.beginnings = 0
        var draw = try Draw(window, number: number, settings)
        let steps = settings.schedule.numTrainTimesteps
        draw.timestep = min(steps - 1, (2 * number + 1) * steps / (2 * count))
        self.init([window], [draw], settings, device)
    }

    private init(
        _ windows: [ClipWindow], _ draws: [Draw], _ settings: TrainingSettings, _ device: Device
    ) {
        latents = stacked(windows.map(\.latents), along: 0).to(device)
        noise = stacked(draws.map(\.noise), along: 0).to(device)
        timesteps = draws.map(\.timestep)
        keys = windows.map(\.key)
        conditions = Conditions(reference: stacked(draws.map(\.reference), along: 0).to(device))
        if settings.mouthWeight != 1 {
            let landmarks = stacked(windows.map(\.landmarks), along: 0)
            weights = mouthWeights(
                landmarks, side: latents.length(3), weight: settings.mouthWeight
            ).to(device)
        }
        guard settings.model.stage.isVideo else { return }
        conditions.speech = stacked(windows.map(\.speech), along: 0).to(device)
        conditions.motionFrames = Conditions.MotionFrames(
            latents: stacked(draws.map(\.motion.frames), along: 0).to(device),
            isPresent: draws.map(\.motion.isPresent))
        guard settings.model.stage == .video else { return }
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
    /// `[C, h, w]`.
    var reference: Tensor
    var motion: (frames: Tensor, isPresent: [Bool])

    init(_ window: ClipWindow, number: Int, _ settings: TrainingSettings) throws {
        var words = SeededNumbers("sample", "\(settings.seed)", "\(number)")
        let generator = try Generator(seed: words.next())
        let steps = settings.schedule.numTrainTimesteps
        let drawn = Int(Tensor.integers(0..<steps, [1], generator: generator).scalar)
        let shift = settings.timestepShift, time = (Double(drawn) + 0.5) / Double(steps)
        timestep =
            shift == 1
            ? drawn : min(steps - 1, Int(shift * time / (1 + (shift - 1) * time) * Double(steps)))
        noise = .normal(window.latents.shape, generator: generator)
        if settings.noiseOffset > 0 {
            let channels = window.latents.length(1)
            let shared = Tensor.normal([1, channels, 1, 1], generator: generator)
            noise = noise + shared * settings.noiseOffset
        }
        (mask, source) = settings.masks.draw(generator)
        var history = window.history
        reference = window.reference
        if isBeginning(settings, generator), history.length(0) > 0 {
            // As generating begins: nothing is known but the portrait.
            reference = history[history.length(0) - 1].to(.float32)
            history = reference.expanded([settings.model.segments.motionFrames] + reference.shape)
            mask.motionFrames = false
        }
        motion = settings.model.segments.abstract(history, generator: generator)
        if settings.motionFrameNoise > 0 {
            let deviation = Tensor.uniform([1], generator: generator) * settings.motionFrameNoise
            motion.frames =
                motion.frames + Tensor.normal(motion.frames.shape, generator: generator) * deviation
        }
    }
}

/// Draws whether a sample is taken for the beginning of a video. Where none is, nothing is drawn.
private func isBeginning(_ settings: TrainingSettings, _ generator: Generator) -> Bool {
    settings.beginnings > 0
        && Tensor.uniform([1], generator: generator, type: .float64).scalar < settings.beginnings
}

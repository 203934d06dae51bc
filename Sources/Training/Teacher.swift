import Diffusion
import Errors
import LoopyModel
import Runs
import Torch

/// The model from which a distilled one learns.
final class Teacher {
    let distillation: Distillation
    /// What the run records of it.
    let facts: RunDescription.Teacher
    private let model: LoopyNet
    private let sampling: SamplingSettings
    private let solver: Solver
    /// The clips that it made of held-out windows, by their numbers.
    private var clips: [Int: Tensor] = [:]

    /// - Throws: `LoopyError` `.configuration` where no model is named, or one that cannot teach this one;
    ///   `.mismatch` for another noise schedule; what is wrong with its files.
    init(of settings: TrainingSettings, _ schedule: NoiseSchedule, _ device: Device) throws {
        let trained = try TrainedModel(path: settings.initialWeights.teacher())
        var shape = trained.description.model
        guard shape.stage == .video else {
            throw LoopyError(
                .configuration,
                "\(trained.path): is of the stage \(shape.stage.rawValue), and a distilled model learns from "
                    + "one of the stage video; set train.initial_weights.model to such a run or folder"
            )
        }
        (shape.stage, shape.distilledSteps) = (.distilled, settings.model.distilledSteps)
        guard shape == settings.model else {
            throw LoopyError(
                .configuration,
                "\(trained.path): is a model of another shape than train.model; take the preset and the "
                    + "settings of the model with which it was trained")
        }
        try schedule.requireSame(as: trained.description.schedule, in: trained.path)
        facts = try RunDescription.Teacher(trained)
        sampling = trained.description.sampling
        model = try trained.load(
            on: device, precision: settings.precision.resolved(on: settings.device))
        distillation = try Distillation(
            model, sampling.guidance, schedule, steps: settings.model.distilledSteps,
            solverSteps: settings.distillation.solverSteps)
        solver = try Solver(
            schedule, sampling.solver, numInferenceSteps: sampling.numInferenceSteps,
            timestepSpacing: schedule.timestepSpacing)
    }

    /// Samples a clip as the model is sampled in use, once for each window.
    ///
    /// - Parameter number: the number of the held-out window.
    /// - Returns: `[1, F, C, h, w]`.
    func clip(_ number: Int, from noise: Tensor, _ conditions: Conditions) throws -> Tensor {
        if let clip = clips[number] { return clip }
        let clip = GuidedModel(model, conditions, sampling.guidance)
            .sample(noise, solver, generator: try Generator(seed: UInt64(number)))
        clips[number] = clip
        return clip
    }
}

extension TrainingSettings.Distillation {
    /// - Parameter step: an optimiser step, counted from 0.
    func phase(ofStep step: Int) -> Distillation.Phase {
        step < guidanceSteps ? .guidance : .consistency
    }
}

extension Trainer {
    /// How far the clips that the model makes of held-out windows are from those that its teacher makes of them
    /// from the same noise: the mean of the squared differences of latents. Ranks share the windows out.
    func distance(to teacher: Teacher, on heldOut: [ClipWindow]) throws -> Double {
        let sampling = settings.samplingOfModel
        let solver = try Solver(
            schedule, sampling.solver, numInferenceSteps: sampling.numInferenceSteps,
            timestepSpacing: schedule.timestepSpacing(for: settings.model))
        var ofWindows = [Double](repeating: 0, count: heldOut.count)
        try withoutGradient {
            for (number, window) in heldOut.enumerated() where number % group.size == group.rank {
                let batch = try TrainingBatch(
                    fixed: window, number: number, of: heldOut.count, settings: settings,
                    device: device)
                let generator = try Generator(seed: UInt64(number))
                try settings.precision.resolved(on: settings.device).computing(on: device) {
                    let clip = GuidedModel(model, batch.conditions, sampling.guidance)
                        .sample(batch.noise, solver, generator: generator)
                    let right = try teacher.clip(number, from: batch.noise, batch.conditions)
                    ofWindows[number] = (clip - right).square().mean().scalar
                }
            }
        }
        return try group.sum(ofWindows).reduce(0, +) / Double(heldOut.count)
    }
}

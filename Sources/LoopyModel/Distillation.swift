import Diffusion
import Errors
import Torch

// Shapes: B samples, F frames of a clip, C channels, height h and width w of latents.

/// How a model learns from another, its teacher, to sample in few steps of one pass each, where the teacher
/// takes many steps of two or three passes.
///
/// Both phases have one objective, `E ‖v_θ(z_t, t, c) - v*‖²`, in which v* is the prediction that the steps of
/// `ConsistencySegments` ask for; they differ in the number of segments:
///
/// 1. **Guidance** (Meng et al. 2023, arXiv:2210.03142, section 3.1, at one scale). Each segment is one solver step,
///    and v* is the sum that guidance makes of the teacher's passes.
/// 2. **Consistency** (Heek, Hoogeboom and Salimans 2024, arXiv:2403.06807, algorithm 1). A segment is what the
///    few-step model takes in one step. The guided teacher takes a solver step, and from there on the model itself
///    goes to the segment's end, without gradient. It does so with its weights as they are: an average of them, as in
///    Song et al. 2023, is of no use to the target (Song and Dhariwal 2024, arXiv:2310.14189, section 3.2).
///
/// The model sees what it sees in use: all conditions, motion latents from audio, and motion frames or none. Guidance
/// is what the masks of other conditions were trained for.
public struct Distillation {
    public enum Phase: Sendable {
        case guidance, consistency
    }

    private let teacher: LoopyNet
    private let guidance: Guidance
    private let schedule: NoiseSchedule
    /// Segments of one solver step.
    private let single: ConsistencySegments
    /// The segments of the few-step model.
    private let few: ConsistencySegments

    /// - Parameters:
    ///   - teacher: a model of the stage `video`, without gradients.
    ///   - guidance: how the teacher is guided.
    ///   - steps: the number of steps that the distilled model is to sample in.
    ///   - solverSteps: the number of DDIM steps of the teacher: a multiple of `steps`, and a divisor of the
    ///     schedule's number of timesteps.
    /// - Throws: `LoopyError` `.configuration` for other numbers.
    public init(
        _ teacher: LoopyNet, _ guidance: Guidance, _ schedule: NoiseSchedule, steps: Int,
        solverSteps: Int
    ) throws(LoopyError) {
        self.teacher = teacher
        self.guidance = guidance
        self.schedule = schedule
        single = try ConsistencySegments(schedule, count: solverSteps, solverSteps: solverSteps)
        few = try ConsistencySegments(schedule, count: steps, solverSteps: solverSteps)
    }

    /// The objective, as the mean over everything.
    ///
    /// - Parameters:
    ///   - model: the model that learns.
    ///   - clean: latents of clips, `[B, F, C, h, w]`.
    ///   - noise: noise of the same shape.
    ///   - timesteps: a timestep for each sample; the solver step to which it belongs is taken from its beginning.
    ///   - conditions: as in use.
    ///   - gamma, weights, meanWeight: as for `LoopyNet.loss`, whose parameter `of` has the last.
    ///   - gradientCheckpointing: as for the model.
    /// - Returns: a single number.
    public func loss(
        _ model: LoopyNet, _ clean: Tensor, noise: Tensor, timesteps: [Int],
        _ conditions: Conditions, in phase: Phase, gamma: Double? = nil, weights: Tensor? = nil,
        meanWeight: Double? = nil, gradientCheckpointing: Bool = false
    ) -> Tensor {
        let segments = phase == .guidance ? single : few
        let steps = timesteps.map(segments.solverStep)
        let timesteps = steps.map(segments.timestep)
        let noisy = schedule.addNoise(clean, noise, at: timesteps)
        let encoded = model.encode(conditions, gradientCheckpointing: gradientCheckpointing)
        func indices(_ timesteps: [Int]) -> Tensor {
            Tensor(timesteps.map(Int64.init), device: clean.device)
        }

        let target = withoutGradient {
            let guided = GuidedModel(teacher, conditions, guidance)
            let solved = guided(
                noisy, timesteps: timesteps,
                isGuided: steps.map { guidance.guides(step: $0, of: segments.solverSteps) })
            return segments.target(noisy, solved: solved, steps: steps) { latents, timesteps in
                model.predict(latents, indices(timesteps), encoded)
            }
        }
        let prediction = model.predict(
            noisy, indices(timesteps), encoded, gradientCheckpointing: gradientCheckpointing)
        return schedule.meanSquaredError(
            prediction, target, at: timesteps, gamma: gamma, weights: weights,
            meanWeight: meanWeight)
    }
}

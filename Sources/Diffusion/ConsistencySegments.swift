import Errors
import Torch

// Shapes: B samples; latents and predictions are [B, …].

/// The steps that a model of few steps skips: those of DDIM from noise to picture, in segments of equally
/// many, one for each step of the model ("Multistep Consistency Models", Heek, Hoogeboom and Salimans 2024,
/// arXiv:2403.06807).
///
/// Within a segment the model is consistent: from the beginning of every solver step, one DDIM step with what
/// the model predicts there leads to the same latents at the segment's end. So DDIM in as many steps as there
/// are segments samples the model, and nothing is drawn between steps. At the segment's end such a step changes
/// nothing, whatever the model predicts: the boundary condition, for which consistency models of a single
/// segment need the scalings c_skip and c_out (Song et al. 2023, section 3; Luo et al. 2023, equation 9).
///
/// Solver steps are counted from 0, at the noise.
public struct ConsistencySegments: Sendable {
    /// DDIM in all steps.
    private let solver: Solver
    /// The levels at which segments end.
    private let ends: [Solver.Level]
    private let numTrainTimesteps: Int

    /// The number of solver steps.
    public var solverSteps: Int { solver.steps.count }

    /// - Parameters:
    ///   - count: the number of segments.
    ///   - solverSteps: the number of solver steps in all: a multiple of `count`, and a divisor of the schedule's
    ///     number of timesteps, so that segments begin where DDIM's `count` steps do.
    /// - Throws: `LoopyError` `.configuration` for other numbers.
    public init(
        _ schedule: NoiseSchedule, count: Int, solverSteps: Int
    ) throws(LoopyError) {
        numTrainTimesteps = schedule.settings.numTrainTimesteps
        guard count > 0, solverSteps > 0, solverSteps % count == 0,
            numTrainTimesteps % solverSteps == 0
        else {
            throw LoopyError(
                .configuration,
                "\(solverSteps) solver steps are no multiple of \(count) segments, or no divisor of the noise "
                    + "schedule's \(numTrainTimesteps) timesteps")
        }
        solver = try Solver(
            schedule, numInferenceSteps: solverSteps, timestepSpacing: .trailing)
        ends = try Solver(schedule, numInferenceSteps: count, timestepSpacing: .trailing)
            .steps.map(\.end)
    }

    /// The solver step to which a timestep of the schedule belongs: all have equally many.
    public func solverStep(of timestep: Int) -> Int {
        solverSteps - 1 - timestep * solverSteps / numTrainTimesteps
    }

    /// The timestep at which a solver step asks the model.
    public func timestep(_ step: Int) -> Int { solver.steps[step].timestep }

    /// Whether a solver step ends where its segment ends.
    public func endsSegment(_ step: Int) -> Bool {
        (step + 1) % (solverSteps / ends.count) == 0
    }

    /// What the model should predict at the beginning of solver steps: the prediction with which one DDIM step
    /// leads to the segment's end from here, as the solver's step and the model's step from there do.
    ///
    /// - Parameters:
    ///   - latents: at the beginning of the solver steps.
    ///   - solved: what the solver sees there.
    ///   - steps: a solver step for each sample.
    ///   - model: what the model predicts for latents at a timestep for each sample; it is not asked where
    ///     all solver steps end their segments.
    public func target(
        _ latents: Tensor, solved: Tensor, steps: [Int],
        model: (_ latents: Tensor, _ timesteps: [Int]) -> Tensor
    ) -> Tensor {
        let isLast = steps.map(endsSegment)
        guard isLast.contains(false) else { return solved }
        let next = stepping(latents, solved, steps.map { (solver.steps[$0], solver.steps[$0].end) })
        let following = zip(steps, isLast).map { $1 ? $0 : $0 + 1 }
        let reached = ended(next, model(next, following.map(timestep)), steps: following)
        let moves = moves(steps.map { (solver.steps[$0], self.end(of: $0)) }, like: latents)
        let shape = [steps.count] + Array(repeating: 1, count: latents.rank - 1)
        // What ends its segment is solved, and may have nowhere to go: it begins where it ends at timestep 0.
        return solved.where(
            Tensor(isLast, shape: shape, device: latents.device),
            else: (reached - latents * moves.kept) / moves.added)
    }

    /// The latents at the ends of segments, by one DDIM step each from the beginning of solver steps.
    public func ended(_ latents: Tensor, _ prediction: Tensor, steps: [Int]) -> Tensor {
        stepping(latents, prediction, steps.map { (solver.steps[$0], end(of: $0)) })
    }

    private func end(of step: Int) -> Solver.Level {
        ends[step / (solverSteps / ends.count)]
    }

    private func stepping(
        _ latents: Tensor, _ prediction: Tensor, _ ways: [(Solver.Step, Solver.Level)]
    ) -> Tensor {
        let moves = moves(ways, like: latents)
        return latents * moves.kept + prediction * moves.added
    }

    /// A DDIM step without noise (Song et al. 2020, equation 12) adds up the latents and the prediction: the
    /// weights of both, a pair for each sample.
    private func moves(
        _ ways: [(Solver.Step, Solver.Level)], like latents: Tensor
    ) -> (kept: Tensor, added: Tensor) {
        let weights = ways.map { step, end -> (kept: Double, added: Double) in
            let start = step.start
            switch solver.predictionType {
            case .epsilon:
                let kept = end.alpha / start.alpha
                return (kept, end.sigma - kept * start.sigma)
            case .vPrediction:
                return (
                    end.alpha * start.alpha + end.sigma * start.sigma,
                    end.sigma * start.alpha - end.alpha * start.sigma
                )
            }
        }
        func tensor(_ values: [Double]) -> Tensor {
            let shape = [values.count] + Array(repeating: 1, count: latents.rank - 1)
            return Tensor(values.map(Float.init), shape: shape, device: latents.device)
        }
        return (tensor(weights.map(\.kept)), tensor(weights.map(\.added)))
    }
}

import Errors
import Foundation
import Torch

/// A way from noise to a picture in a few steps: which timesteps the network is asked at, and what becomes
/// of the latents then.
///
///     var path = solver.begin(.normal(shape, generator: generator))
///     while let timestep = path.timestep {
///         path.step(prediction: network(path.latents, timestep))
///     }
///
/// The steps and the numbers are those of diffusers' schedulers as Stable Diffusion 1.5 configures them.
public struct Solver: Sendable {
    public enum Method: String, Codable, Sendable, CaseIterable {
        /// DDIM (Song et al. 2020), `DDIMScheduler` with `set_alpha_to_one` and `clip_sample` off: first
        /// order.
        case ddim
        /// DPM-Solver++(2M) (Lu et al. 2022, arXiv:2211.01095, algorithm 2), `DPMSolverMultistepScheduler`:
        /// second order, from what the network said at the step before.
        case dpmSolver = "dpm_solver"
        /// UniPC (Zhao et al. 2023, arXiv:2302.04867) with B₂(h), `UniPCMultistepScheduler`: second order,
        /// and each step is corrected by what the network says at its end.
        case unipc
    }

    /// Which of the schedule's timesteps are taken.
    public enum TimestepSpacing: String, Codable, Sendable {
        /// The steps go from 1 upwards at equal distances, as in Stable Diffusion 1.5. The last step of
        /// all, pure noise, is not among them.
        case leading
        /// The steps go from the last downwards, as zero terminal SNR needs.
        case trailing
    }

    /// How much signal and how much noise there is: `z = α z_0 + σ ε`.
    struct Level: Sendable {
        let alphaCumprod: Double
        var alpha: Double { alphaCumprod.squareRoot() }
        var sigma: Double { (1 - alphaCumprod).squareRoot() }
        /// The logarithm of their ratio, by which multistep methods count.
        var lambda: Double { log(alpha) - log(sigma) }
    }

    struct Step: Sendable {
        let timestep: Int
        let start: Level, end: Level
    }

    let method: Method
    let steps: [Step]
    let predictionType: NoiseSchedule.PredictionType
    /// How much noise is drawn on the way: 0 is none, 1 as much as DDPM.
    public let eta: Double

    /// The timesteps, from noise to picture.
    public var timesteps: [Int] { steps.map(\.timestep) }

    /// - Throws: `LoopyError` `.configuration` for a number of steps that the schedule does not have, and
    ///   for noise on the way of another method than DDIM.
    public init(
        _ schedule: NoiseSchedule, _ method: Method = .ddim, numInferenceSteps count: Int,
        timestepSpacing: TimestepSpacing = .leading, eta: Double = 0
    ) throws(LoopyError) {
        let all = schedule.settings.numTrainTimesteps
        // The others' leading timesteps would meet.
        let most = method == .ddim ? all : all - 2
        guard 1 <= count, count <= most, (0...1).contains(eta) else {
            throw LoopyError(
                .configuration, "sampling takes 1 to \(most) steps, and eta lies between 0 and 1")
        }
        guard method == .ddim || eta == 0 else {
            throw LoopyError(
                .configuration, "eta: only ddim draws noise on the way; set solver: ddim, or eta: 0"
            )
        }
        self.method = method
        self.eta = eta
        predictionType = schedule.settings.predictionType
        let timesteps = Self.timesteps(all, count, timestepSpacing, method)
        func level(_ alphaCumprod: Double) -> Level { Level(alphaCumprod: alphaCumprod) }
        steps = timesteps.enumerated().map { index, timestep in
            let start = schedule.alphasCumprod[timestep]
            guard method == .ddim else {
                // As diffusers has it: a logarithm of no signal at all would have no end.
                let isLast = index == count - 1
                return Step(
                    timestep: timestep, start: level(max(start, Self.leastSignal)),
                    end: level(isLast ? 1 : schedule.alphasCumprod[timesteps[index + 1]]))
            }
            // Also as there: by the usual distance, where rounding made another, too.
            let next = max(0, timestep - all / count)
            return Step(
                timestep: timestep, start: level(start), end: level(schedule.alphasCumprod[next]))
        }
    }

    private static let leastSignal = 0x1p-24

    private static func timesteps(
        _ all: Int, _ count: Int, _ spacing: TimestepSpacing, _ method: Method
    ) -> [Int] {
        switch (spacing, method) {
        case (.leading, .ddim):
            (0..<count).reversed().map { min($0 * (all / count) + 1, all - 1) }
        case (.leading, _):
            (1...count).reversed().map { min($0 * (all / (count + 1)) + 1, all - 1) }
        case (.trailing, _):
            (0..<count).map {
                let exact = Double(all) - Double($0) * Double(all) / Double(count)
                return Int(exact.rounded(.toNearestOrEven)) - 1
            }
        }
    }

    /// Begins at noise.
    public func begin(_ noise: Tensor) -> Path { Path(self, noise) }

    /// Where a picture stands on its way.
    public struct Path {
        public private(set) var latents: Tensor
        /// The number of steps that are done.
        public private(set) var index = 0
        private let solver: Solver
        /// What was seen of the picture at the steps before, the newest first.
        private var former: [Tensor] = []
        /// The latents at the beginning of the step before.
        private var formerLatents: Tensor?

        fileprivate init(_ solver: Solver, _ noise: Tensor) {
            (self.solver, latents) = (solver, noise)
        }

        /// The timestep that the network is to be asked at; nil at the end.
        public var timestep: Int? {
            index < solver.steps.count ? solver.steps[index].timestep : nil
        }

        /// Takes a step.
        ///
        /// - Parameters:
        ///   - prediction: what the network says of the latents, noise or velocity as the schedule has it.
        ///   - noise: noise of the latents' shape; needed where eta is not 0.
        public mutating func step(prediction: Tensor, noise: Tensor? = nil) {
            let step = solver.steps[index]
            let clean = solver.clean(latents, prediction, step.start)
            switch solver.method {
            case .ddim:
                latents = solver.ddim(latents, clean, prediction, step, noise)
            case .dpmSolver:
                latents = predicted(clean, step)
            case .unipc:
                corrected(clean, step)
                formerLatents = latents
                latents = predicted(clean, step)
            }
            if solver.method != .ddim { former = [clean] + former.prefix(1) }
            index += 1
        }

        /// A step of second order in λ, from the picture as it is seen now and as it was; of first order
        /// where there is no former one, and at the end.
        ///
        /// DPM-Solver++(2M) and UniPC's predictor are the same: with B₂(h) its weight is a half.
        private func predicted(_ clean: Tensor, _ step: Step) -> Tensor {
            let h = step.end.lambda - step.start.lambda
            let growth = step.end.alpha * expm1(-h)
            let first = latents * (step.end.sigma / step.start.sigma) - clean * growth
            guard let former = former.first, index < solver.steps.count - 1 else { return first }
            let ratio = (solver.steps[index - 1].start.lambda - step.start.lambda) / h
            return first - (former - clean) * (growth / 2 / ratio)
        }

        /// UniC: takes the step before once more, knowing what the network says at its end.
        private mutating func corrected(_ clean: Tensor, _ step: Step) {
            guard let before = former.first, let formerLatents else { return }
            let start = solver.steps[index - 1].start
            let h = step.start.lambda - start.lambda
            let growth = step.start.alpha * expm1(-h)
            let first = formerLatents * (step.start.sigma / start.sigma) - before * growth
            guard former.count > 1 else {
                latents = first - (clean - before) * (growth / 2)
                return
            }
            // The weights that make the step exact to second order (equation 5 there).
            let ratio = (solver.steps[index - 2].start.lambda - start.lambda) / h
            let phi1 = expm1(-h), phi2 = phi1 / -h - 1, phi3 = phi2 / -h - 0.5
            let (b1, b2) = (phi2 / phi1, 2 * phi3 / phi1)
            let weight = (b2 - b1) / (ratio - 1)
            latents =
                first - (former[1] - before) * (growth * weight / ratio)
                - (clean - before) * (growth * (b1 - weight))
        }
    }

    /// The picture that the network sees in the latents.
    private func clean(_ latents: Tensor, _ prediction: Tensor, _ level: Level) -> Tensor {
        switch predictionType {
        case .epsilon: (latents - prediction * level.sigma) / level.alpha
        case .vPrediction: latents * level.alpha - prediction * level.sigma
        }
    }

    /// Equation 12 of DDIM.
    private func ddim(
        _ latents: Tensor, _ clean: Tensor, _ prediction: Tensor, _ step: Step, _ noise: Tensor?
    ) -> Tensor {
        let (alpha, next) = (step.start.alphaCumprod, step.end.alphaCumprod)
        let epsilon =
            predictionType == .epsilon
            ? prediction : prediction * step.start.alpha + latents * step.start.sigma
        let variance = (1 - next) / (1 - alpha) * (1 - alpha / next)
        let deviation = eta * variance.squareRoot()
        let direction = epsilon * max(0, 1 - next - deviation * deviation).squareRoot()
        let latents = clean * step.end.alpha + direction
        guard deviation > 0 else { return latents }
        guard let noise else { fatalError("a step with eta \(eta) needs noise") }
        return latents + noise * deviation
    }
}

extension NoiseSchedule {
    /// The spacing that suits the schedule: trailing where it ends in pure noise, which leading leaves out.
    public var timestepSpacing: Solver.TimestepSpacing {
        settings.rescaleBetasZeroSnr ? .trailing : .leading
    }
}

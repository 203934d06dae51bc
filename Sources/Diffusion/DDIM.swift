import Errors
import Foundation
import Torch

/// Sampling by DDIM (Song et al. 2020), in the steps and with the numbers of diffusers'
/// `DDIMScheduler` as Stable Diffusion 1.5 configures it: `set_alpha_to_one` and `clip_sample` off.
///
///     var latents = Tensor.normal(shape, generator: generator)
///     for step in ddim.steps {
///         latents = ddim.next(latents, step, prediction: network(latents, step.timestep))
///     }
public struct DDIM: Sendable {
    /// Which of the schedule's timesteps are taken.
    public enum TimestepSpacing: String, Codable, Sendable {
        /// The steps go from 1 upwards at equal distances, as in Stable Diffusion 1.5. The last step of
        /// all, pure noise, is not among them.
        case leading
        /// The steps go from the last downwards, as zero terminal SNR needs.
        case trailing
    }

    /// One step, from `timestep` to the next.
    public struct Step: Sendable {
        public let timestep: Int
        /// ᾱ before the step.
        let alphaCumprod: Double
        /// ᾱ after the step.
        let nextAlphaCumprod: Double
    }

    /// The steps, from noise to picture.
    public let steps: [Step]
    private let predictionType: NoiseSchedule.PredictionType
    /// How much noise is drawn on the way: 0 is none, 1 as much as DDPM.
    public let eta: Double

    /// - Throws: `LoopyError` `.configuration` for a number of steps that the schedule does not have.
    public init(
        _ schedule: NoiseSchedule, numInferenceSteps count: Int,
        timestepSpacing: TimestepSpacing = .leading, eta: Double = 0
    ) throws(LoopyError) {
        let all = schedule.settings.numTrainTimesteps
        guard (1...all).contains(count), (0...1).contains(eta) else {
            throw LoopyError(
                .configuration, "sampling takes 1 to \(all) steps, and eta lies between 0 and 1")
        }
        let distance = all / count
        let timesteps: [Int] =
            switch timestepSpacing {
            case .leading:
                (0..<count).reversed().map { min($0 * distance + 1, all - 1) }
            case .trailing:
                (0..<count).map {
                    let exact = Double(all) - Double($0) * Double(all) / Double(count)
                    return Int(exact.rounded(.toNearestOrEven)) - 1
                }
            }
        steps = timesteps.map { timestep in
            // As diffusers has it: by the usual distance, also where rounding made another.
            let next = timestep - distance
            return Step(
                timestep: timestep, alphaCumprod: schedule.alphasCumprod[timestep],
                nextAlphaCumprod: schedule.alphasCumprod[max(0, next)])
        }
        predictionType = schedule.settings.predictionType
        self.eta = eta
    }

    /// Takes a step (equation 12), and returns the latents after it.
    ///
    /// - Parameters:
    ///   - latents: the latents before the step.
    ///   - prediction: what the network says of them, noise or velocity as the schedule has it.
    ///   - noise: noise of the latents' shape; needed where eta is not 0.
    public func next(
        _ latents: Tensor, _ step: Step, prediction: Tensor, noise: Tensor? = nil
    ) -> Tensor {
        let (alpha, next) = (step.alphaCumprod, step.nextAlphaCumprod)
        let (signalRoot, noiseRoot) = (alpha.squareRoot(), (1 - alpha).squareRoot())
        let clean: Tensor, epsilon: Tensor
        switch predictionType {
        case .epsilon:
            clean = (latents - prediction * noiseRoot) / signalRoot
            epsilon = prediction
        case .vPrediction:
            clean = latents * signalRoot - prediction * noiseRoot
            epsilon = prediction * signalRoot + latents * noiseRoot
        }
        let variance = (1 - next) / (1 - alpha) * (1 - alpha / next)
        let deviation = eta * variance.squareRoot()
        let direction = epsilon * max(0, 1 - next - deviation * deviation).squareRoot()
        let latents = clean * next.squareRoot() + direction
        guard deviation > 0 else { return latents }
        guard let noise else { fatalError("a step with eta \(eta) needs noise") }
        return latents + noise * deviation
    }
}

extension NoiseSchedule {
    /// The spacing that suits the schedule: trailing where it ends in pure noise, which leading leaves out.
    public var timestepSpacing: DDIM.TimestepSpacing {
        settings.rescaleBetasZeroSnr ? .trailing : .leading
    }
}

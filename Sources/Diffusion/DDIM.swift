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
    /// Which of the schedule's steps are taken.
    public enum Spacing: String, Codable, Sendable {
        /// From 1 upwards, in equal distances: Stable Diffusion 1.5's. The last step of all, pure
        /// noise, is not among them.
        case leading
        /// From the last downwards: what zero terminal SNR asks for.
        case trailing
    }

    /// One step, from `timestep` to the next.
    public struct Step: Sendable {
        public let timestep: Int
        /// ᾱ before and after.
        let signal: Double
        let nextSignal: Double
    }

    /// The steps, from noise to picture.
    public let steps: [Step]
    private let prediction: NoiseSchedule.Prediction
    /// 0 draws no noise on the way, 1 as much as DDPM.
    public let eta: Double

    /// - Throws: `LoopyError` `.configuration` for a number of steps that the schedule does not have.
    public init(
        _ schedule: NoiseSchedule, steps count: Int, spacing: Spacing = .leading, eta: Double = 0
    ) throws(LoopyError) {
        let all = schedule.settings.steps
        guard (1...all).contains(count), (0...1).contains(eta) else {
            throw LoopyError(
                .configuration, "sampling takes 1 to \(all) steps, and eta lies between 0 and 1")
        }
        let distance = all / count
        let timesteps: [Int] =
            switch spacing {
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
                timestep: timestep, signal: schedule.signal[timestep],
                nextSignal: schedule.signal[max(0, next)])
        }
        prediction = schedule.settings.prediction
        self.eta = eta
    }

    /// The latents after a step (equation 12).
    ///
    /// - Parameters:
    ///   - latents: before it.
    ///   - prediction: what the network says of them, noise or velocity as the schedule has it.
    ///   - noise: of the latents' shape; wanted where eta is not 0.
    public func next(
        _ latents: Tensor, _ step: Step, prediction: Tensor, noise: Tensor? = nil
    ) -> Tensor {
        let (signal, next) = (step.signal, step.nextSignal)
        let (signalRoot, noiseRoot) = (signal.squareRoot(), (1 - signal).squareRoot())
        let clean: Tensor, epsilon: Tensor
        switch self.prediction {
        case .epsilon:
            clean = (latents - prediction * noiseRoot) / signalRoot
            epsilon = prediction
        case .velocity:
            clean = latents * signalRoot - prediction * noiseRoot
            epsilon = prediction * signalRoot + latents * noiseRoot
        }
        let variance = (1 - next) / (1 - signal) * (1 - signal / next)
        let deviation = eta * variance.squareRoot()
        let direction = epsilon * max(0, 1 - next - deviation * deviation).squareRoot()
        let latents = clean * next.squareRoot() + direction
        guard deviation > 0 else { return latents }
        guard let noise else { fatalError("a step with eta \(eta) wants noise") }
        return latents + noise * deviation
    }
}

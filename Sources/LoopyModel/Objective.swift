import Diffusion
import Torch

extension LoopyNet {
    /// The training objective (section 3.1, equation 1): `E ‖ε - ε_θ(z_t, t, c)‖²`, as the mean over
    /// everything.
    ///
    /// - Parameters:
    ///   - clean: latents of clips, `[B, F, C, h, w]`.
    ///   - noise: noise of the same shape.
    ///   - timesteps: a timestep for each sample.
    ///   - gamma: weighs samples by min-SNR; nil for equal weights.
    ///   - gradientCheckpointing: as for the model.
    /// - Returns: a single number.
    public func loss(
        _ clean: Tensor, noise: Tensor, timesteps: [Int], _ conditions: Conditions,
        _ schedule: NoiseSchedule, gamma: Double? = nil, gradientCheckpointing: Bool = false
    ) -> Tensor {
        let noisy = schedule.addNoise(clean, noise, at: timesteps)
        let steps = Tensor(timesteps.map { Int64($0) }, device: clean.device)
        let prediction = self(
            noisy, steps, conditions, gradientCheckpointing: gradientCheckpointing)
        let target = schedule.target(clean, noise, at: timesteps)
        guard let gamma else { return mseLoss(prediction, target) }
        let weights = schedule.minSNRWeights(at: timesteps, gamma: gamma)
        let errors = (prediction - target).square().mean([1, 2, 3, 4])
        return (errors * Tensor(weights.map(Float.init), device: errors.device)).mean()
    }
}

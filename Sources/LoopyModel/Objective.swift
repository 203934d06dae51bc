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
    ///   - weights: weighs the pixels of the latents, `[B, F, 1, h, w]`; nil for equal weights.
    ///   - mouthShape: the weight of what is wrong with the mouth's shape in motion latents; 0 for none.
    ///   - gradientCheckpointing: as for the model.
    /// - Returns: a single number.
    public func loss(
        _ clean: Tensor, noise: Tensor, timesteps: [Int], _ conditions: Conditions,
        _ schedule: NoiseSchedule, gamma: Double? = nil, weights: Tensor? = nil,
        mouthShape: Double = 0, gradientCheckpointing: Bool = false
    ) -> Tensor {
        let denoising = denoisingLoss(
            clean, noise: noise, timesteps: timesteps, conditions, schedule, gamma: gamma,
            weights: weights, gradientCheckpointing: gradientCheckpointing)
        guard mouthShape > 0, let loss = mouthLoss(conditions) else { return denoising }
        return denoising + loss * mouthShape
    }

    private func denoisingLoss(
        _ clean: Tensor, noise: Tensor, timesteps: [Int], _ conditions: Conditions,
        _ schedule: NoiseSchedule, gamma: Double?, weights: Tensor?, gradientCheckpointing: Bool
    ) -> Tensor {
        let noisy = schedule.addNoise(clean, noise, at: timesteps)
        let steps = Tensor(timesteps.map { Int64($0) }, device: clean.device)
        let prediction = self(
            noisy, steps, conditions, gradientCheckpointing: gradientCheckpointing)
        let target = schedule.target(clean, noise, at: timesteps)
        if gamma == nil, weights == nil { return mseLoss(prediction, target) }
        var errors = (prediction - target).square()
        if let weights { errors = errors * (weights / weights.mean()) }
        guard let gamma else { return errors.mean() }
        let ofSamples = schedule.minSNRWeights(at: timesteps, gamma: gamma).map(Float.init)
        return (errors.mean([1, 2, 3, 4]) * Tensor(ofSamples, device: errors.device)).mean()
    }
}

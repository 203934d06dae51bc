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
    ///   - batch: the whole batch that these samples are a part of; nil where they are all.
    ///   - gradientCheckpointing: as for the model.
    /// - Returns: a single number. The mean of those of equal parts of a batch is that of the batch.
    public func loss(
        _ clean: Tensor, noise: Tensor, timesteps: [Int], _ conditions: Conditions,
        _ schedule: NoiseSchedule, gamma: Double? = nil, weights: Tensor? = nil,
        mouthShape: Double = 0, of batch: WholeBatch? = nil, gradientCheckpointing: Bool = false
    ) -> Tensor {
        let denoising = denoisingLoss(
            clean, noise: noise, timesteps: timesteps, conditions, schedule, gamma: gamma,
            weights: weights, meanWeight: batch?.meanWeight,
            gradientCheckpointing: gradientCheckpointing)
        guard mouthShape > 0, let loss = mouthLoss(conditions, heardPart: batch?.heardPart) else {
            return denoising
        }
        return denoising + loss * mouthShape
    }

    private func denoisingLoss(
        _ clean: Tensor, noise: Tensor, timesteps: [Int], _ conditions: Conditions,
        _ schedule: NoiseSchedule, gamma: Double?, weights: Tensor?, meanWeight: Double?,
        gradientCheckpointing: Bool
    ) -> Tensor {
        let noisy = schedule.addNoise(clean, noise, at: timesteps)
        let steps = Tensor(timesteps.map { Int64($0) }, device: clean.device)
        let prediction = self(
            noisy, steps, conditions, gradientCheckpointing: gradientCheckpointing)
        return schedule.meanSquaredError(
            prediction, schedule.target(clean, noise, at: timesteps), at: timesteps, gamma: gamma,
            weights: weights, meanWeight: meanWeight)
    }
}

extension NoiseSchedule {
    /// The mean of the squared errors of predictions, of weighted samples and pixels.
    ///
    /// - Parameters:
    ///   - prediction, target: `[B, F, C, h, w]`.
    ///   - gamma, weights: as for `LoopyNet.loss`.
    ///   - meanWeight: the mean of the weights of the whole batch; that of these when left out.
    /// - Returns: a single number.
    func meanSquaredError(
        _ prediction: Tensor, _ target: Tensor, at timesteps: [Int], gamma: Double?,
        weights: Tensor?, meanWeight: Double?
    ) -> Tensor {
        if gamma == nil, weights == nil { return mseLoss(prediction, target) }
        var errors = (prediction - target).square()
        if let weights {
            errors = errors * (meanWeight.map { weights / $0 } ?? weights / weights.mean())
        }
        guard let gamma else { return errors.mean() }
        let ofSamples = minSNRWeights(at: timesteps, gamma: gamma).map(Float.init)
        return (errors.mean([1, 2, 3, 4]) * Tensor(ofSamples, device: errors.device)).mean()
    }
}

extension LoopyNet {
    /// What the loss divides by, of a batch whose samples are shared out among processes.
    public struct WholeBatch: Sendable {
        /// The mean of the pixels' weights.
        public var meanWeight: Double
        /// The part of the samples that have audio.
        public var heardPart: Double

        public init(meanWeight: Double, heardPart: Double) {
            (self.meanWeight, self.heardPart) = (meanWeight, heardPart)
        }
    }
}

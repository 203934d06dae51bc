import Torch

/// Guidance by several conditions (section 3.4, "Inference"):
///
///     e = audio_ratio (e_audio - e_ref) + reference_ratio (e_ref - e_base) + e_base
///
/// `e_audio` has all conditions, `e_ref` no audio, `e_base` no audio and no reference.
///
/// For `e_base` the paper removes the reference net's features from self-attention and does not mention
/// motion frames. Here they are dropped with the reference, as they are in training: a net that sees
/// motion frames and no reference has never been trained.
public struct Guidance: Codable, Sendable, Equatable {
    public var audioRatio = 5.0
    public var referenceRatio = 3.0

    public init() {}
}

extension LoopyModel {
    /// What the guided model predicts for a clip. The reference net runs once, when this is called; a pass
    /// that has no weight in the sum does not run at all.
    ///
    /// - Returns: a function of noisy latents `[B, F, C, h, w]` and their timestep.
    public func guided(
        _ conditions: Conditions, _ guidance: Guidance
    ) -> (_ latents: Tensor, _ timestep: Int) -> Tensor {
        let all = encode(conditions)
        let silent = silenced(all, conditions)
        // The sum above, in terms of the three passes.
        let passes: [(conditions: EncodedConditions, weight: Double)] = [
            (all, guidance.audioRatio),
            (silent, guidance.referenceRatio - guidance.audioRatio),
            (silent.withoutReference, 1 - guidance.referenceRatio),
        ].filter { $0.weight != 0 }
        return { latents, timestep in
            let timesteps = Tensor.full(
                [latents.length(0)], Double(timestep), type: .int64, device: latents.device)
            let predictions = passes.map { pass in
                predict(latents, timesteps, pass.conditions) * pass.weight
            }
            return predictions.dropFirst().reduce(predictions[0], +)
        }
    }
}

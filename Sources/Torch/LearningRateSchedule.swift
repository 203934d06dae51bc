import Foundation

/// How the learning rate goes over the steps of a training. It grows linearly at first, and then does what
/// the case says (diffusers' `constant_with_warmup` and `cosine`).
public enum LearningRateSchedule: String, Codable, Sendable, CaseIterable {
    /// The learning rate stays as it is.
    case constant
    /// The learning rate falls to nothing at the last step, along half a cosine.
    case cosine

    /// The learning rate of a step, counted from 0.
    ///
    /// - Parameters:
    ///   - greatest: the learning rate after the warm-up.
    ///   - warmup: the number of steps over which it grows.
    ///   - steps: the number of all steps.
    public func learningRate(
        at step: Int, greatest: Double, warmup: Int, steps: Int
    ) -> Double {
        guard step >= warmup else { return greatest * Double(step + 1) / Double(warmup) }
        switch self {
        case .constant: return greatest
        case .cosine:
            let share = Double(step - warmup) / Double(max(1, steps - warmup))
            return greatest * (1 + cos(.pi * min(1, share))) / 2
        }
    }
}

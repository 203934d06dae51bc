import Foundation
import Perception
import Storage
import Torch
import Weights

/// What makes a network's confidence a probability on clips that it was not trained on: all logits are divided by
/// a temperature ("On calibration of modern neural networks", Guo et al. 2017), and that of "unrelated" is moved.
public struct Calibration: Sendable {
    public let temperature: Double
    /// What is added to the logit of "unrelated" after the division.
    public let shift: Double
    /// The mean cross-entropy before and after, in nats.
    public let before: Double
    public let after: Double

    /// Finds the two numbers with the least cross-entropy: of true pieces, that their offset is found within two
    /// frames, and of mixed ones that nothing is; both kinds count equally.
    public init(_ trials: [SyncTrial]) {
        let pairs = trials.flatMap(\.pairs), mixed = trials.flatMap(\.mixed)
        func entropy(_ temperature: Double, _ shift: Double) -> Double {
            func confidence(_ pair: SyncTrial.Pair) -> Double {
                let score = MouthSyncScore(
                    curve: pair.curve.map { $0 / temperature - shift }, seconds: 0)
                return min(max(score.confidence, 1e-9), 1 - 1e-9)
            }
            func mean(_ pairs: [SyncTrial.Pair], _ loss: (SyncTrial.Pair) -> Double) -> Double {
                pairs.map(loss).reduce(0, +) / Double(max(1, pairs.count))
            }
            return
                (mean(pairs) { pair in
                    abs(pair.offset.rounded()) <= 2
                        ? -log(confidence(pair)) : -log(1 - confidence(pair))
                } + mean(mixed) { -log(1 - confidence($0)) }) / 2
        }
        var best = (temperature: 1.0, shift: 0.0, loss: entropy(1, 0))
        before = best.loss
        for temperature in stride(from: 1.0, through: 8, by: 0.25) {
            for shift in stride(from: -6.0, through: 3, by: 0.25) {
                let loss = entropy(temperature, shift)
                if loss < best.loss { best = (temperature, shift, loss) }
            }
        }
        (temperature, shift, after) = (best.temperature, best.shift, best.loss)
    }

    /// Writes weights that give calibrated logits: those of the lags are proportional to `scale`.
    ///
    /// - Throws: `LoopyError` for a file that does not hold the network, or that cannot be written.
    public func apply(to path: String, output: String, metadata: [String: String]) throws {
        let store = ParameterStore(drawing: try Generator(seed: 0))
        _ = MouthSyncNetwork(store.root)
        try store.assign(Checkpoint(path))
        let tensors = withoutGradient {
            store.parameters.map { name, tensor -> (name: String, tensor: Tensor) in
                switch name {
                case "scale": (name, tensor / temperature)
                case "unrelated": (name, tensor / temperature + shift)
                default: (name, tensor)
                }
            }
        }
        let file = try OutputFile(output)
        try SafeTensors.write(tensors: tensors, metadata: metadata) { try file.write($0) }
        try file.commit()
    }
}

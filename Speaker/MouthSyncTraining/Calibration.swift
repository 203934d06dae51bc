import Foundation
import Perception

/// Finds what makes a network's confidence a probability, on clips that it was not trained on, by gradient descent.
public struct Calibration: Sendable {
    package let found: MouthSyncCalibration
    /// The mean cross-entropy before and after, in nats.
    public let before: Double
    public let after: Double

    private struct Example {
        let evidence: MouthSyncCalibration.Evidence
        let isRight: Bool
        let weight: Double
    }

    /// Half are true pieces; of the others some have lips that do not move. Trials count equally.
    ///
    /// Right is a true piece whose offset is found within two frames.
    private static func examples(_ trials: [SyncTrial]) -> [Example] {
        trials.flatMap { trial in
            [(trial.unmixed, true, 0.5), (trial.mixed, false, 0.4), (trial.still, false, 0.1)]
                .flatMap { pairs, isTrue, share in
                    pairs.map { pair in
                        Example(
                            evidence: .init(pair.curve, seconds: pair.seconds),
                            isRight: isTrue && pair.isRight(within: 2),
                            weight: share / Double(pairs.count * trials.count))
                    }
                }
        }
    }

    /// - Parameter trials: of several lengths.
    public init(_ trials: [SyncTrial]) {
        let examples = Self.examples(trials)
        func entropy(_ calibration: MouthSyncCalibration) -> Double {
            examples.reduce(0) { sum, one in
                let confidence = min(max(calibration.confidence(one.evidence), 1e-9), 1 - 1e-9)
                return sum - one.weight * log(one.isRight ? confidence : 1 - confidence)
            }
        }
        before = entropy(.found)
        found = Self.descended(examples)
        after = entropy(found)
    }

    /// Descends to the least cross-entropy. Values are divided by their deviations, so that one step size fits all.
    private static func descended(_ examples: [Example]) -> MouthSyncCalibration {
        let values = examples.map { MouthSyncCalibration.values($0.evidence) }
        guard let count = values.first?.count else { return .found }
        let scales = (0..<count).map { index in
            max(1e-9, values.reduce(0) { $0 + $1[index] * $1[index] } / Double(values.count))
                .squareRoot()
        }
        let scaled = values.map { row in zip(row, scales).map { $0 / $1 } }
        var weights = [Double](repeating: 0, count: count)
        for _ in 0..<20_000 {
            var gradient = [Double](repeating: 0, count: count)
            for (row, example) in zip(scaled, examples) {
                let logit = zip(weights, row).reduce(0) { $0 + $1.0 * $1.1 }
                let related = 1 / (1 + exp(-logit)), share = example.evidence.share
                // of -log(share related), or of -log(1 - share related)
                let slope =
                    example.isRight
                    ? related - 1
                    : share * related * (1 - related) / max(1e-9, 1 - share * related)
                for index in 0..<count { gradient[index] += example.weight * slope * row[index] }
            }
            for index in 0..<count { weights[index] -= 2 * gradient[index] }
        }
        return MouthSyncCalibration(weights: zip(weights, scales).map { $0 / $1 })
    }

    /// How often confidences of a range are right, one row each.
    public func diagram(_ trials: [SyncTrial]) -> String {
        let all = Self.examples(trials).map {
            (
                confidence: found.confidence($0.evidence), isRight: $0.isRight,
                weight: $0.weight
            )
        }
        let edges = [0, 0.05, 0.2, 0.4, 0.6, 0.8, 1.000001]
        return zip(edges, edges.dropFirst()).map { low, high in
            let inside = all.filter { low <= $0.confidence && $0.confidence < high }
            let weight = max(1e-12, inside.reduce(0) { $0 + $1.weight })
            let mean = inside.reduce(0) { $0 + $1.weight * $1.confidence } / weight
            let right = inside.reduce(0) { $0 + ($1.isRight ? $1.weight : 0) } / weight
            return String(
                format: "%.2f to %.2f: %d pieces, mean %.2f, right %.2f", low, min(1, high),
                inside.count, mean, right)
        }.joined(separator: "\n")
    }
}

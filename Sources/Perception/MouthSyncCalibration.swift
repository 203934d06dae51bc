import Foundation

/// How a confidence follows from what a network says: the probability that sound and lips belong together, by
/// logistic regression, times that of the best offset and its neighbours among all offsets.
///
/// The network says of each offset how much likelier it is than "unrelated". In a short piece that is the best
/// there is. In a long one more can be told from how one offset stands out from the others: somebody who hardly
/// opens the mouth makes all of them unlikely, but only one of them fits better than the rest.
package struct MouthSyncCalibration: Sendable, Equatable {
    /// What a confidence rests on.
    package struct Evidence: Sendable {
        /// How likely the best offset and its neighbours are together, and how likely all others are: logarithms of
        /// the probability over that of "unrelated".
        let near: Double, far: Double
        let seconds: Double
        /// The offsets on either side of the best one that are its neighbours.
        private static let tolerance = 2

        /// - Parameters:
        ///   - curve, seconds: `MouthSyncScore.curve` and `.seconds`.
        package init(_ curve: [Double], seconds: Double) {
            let best = curve.indices.max { (curve[$0], $1) < (curve[$1], $0) } ?? 0
            func together(_ isCounted: (_ distance: Int) -> Bool) -> Double {
                let values = curve.indices.filter { isCounted(abs($0 - best)) }.map { curve[$0] }
                let highest = values.max() ?? 0
                return highest + log(values.reduce(0) { $0 + exp($1 - highest) })
            }
            near = together { $0 <= Self.tolerance }
            far = together { $0 > Self.tolerance }
            self.seconds = seconds
        }

        /// The probability of the best offset and its neighbours, where one of the offsets is right.
        package var share: Double { 1 / (1 + exp(far - near)) }
    }

    /// The weights of 1, near, far, and far times the logarithm of the time.
    package let weights: [Double]

    /// What `train-mouth-sync calibrate` has found for the network that comes with Loopy.
    package static let found = MouthSyncCalibration(weights: [4.561, 1.198, -0.390, -0.410])

    package init(weights: [Double]) { self.weights = weights }

    /// What the weights belong to. Beyond 20 s time adds nothing.
    package static func values(_ evidence: Evidence) -> [Double] {
        let time = log(min(max(evidence.seconds, MouthSync.leastSeconds), 20) / 5)
        return [1, evidence.near, evidence.far, evidence.far * time]
    }

    package func confidence(_ evidence: Evidence) -> Double {
        let logit = zip(weights, Self.values(evidence)).reduce(0) { $0 + $1.0 * $1.1 }
        return evidence.share / (1 + exp(-logit))
    }
}

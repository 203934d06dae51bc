import Dataset
import Foundation

extension Metrics {
    /// The values of two stretches of one candidate, taken together.
    ///
    /// - Parameter networks: the metrics of networks that the user named.
    package func merged(with other: Metrics, networks: [Metric] = []) -> Metrics {
        var result = Metrics.unmeasured(and: networks)
        for metric in Metric.all + networks {
            if case .anew = metric.merging { continue }
            guard let a = self[metric], let b = other[metric] else {
                result[metric] = self[metric] ?? other[metric]
                continue
            }
            let weights = (weight(metric.merging), other.weight(metric.merging))
            switch metric.merging {
            case .sum: result[metric] = a + b
            case .least: result[metric] = min(a, b)
            case .greatest: result[metric] = max(a, b)
            case .mean, .meanInSpeech, .meanInSilence:
                let total = weights.0 + weights.1
                result[metric] = total > 0 ? (a * weights.0 + b * weights.1) / total : a
            case .levelInSpeech:
                let total = weights.0 + weights.1
                let power = (pow(10, a / 10) * weights.0 + pow(10, b / 10) * weights.1) / total
                result[metric] = total > 0 ? 10 * log10(power) : a
            case .variance(let mean):
                let total = max(weights.0 + weights.1, 1e-9)
                let apart = (self[mean] ?? 0) - (other[mean] ?? 0)
                let within = (a * weights.0 + b * weights.1) / total
                result[metric] = within + weights.0 * weights.1 / (total * total) * apart * apart
            case .anew: break
            }
        }
        return result
    }

    private func weight(_ merging: Metric.Merging) -> Double {
        let seconds = self[.duration] ?? 0
        switch merging {
        case .meanInSpeech, .levelInSpeech: return seconds * (self[.speech] ?? 0)
        case .meanInSilence: return seconds * (1 - (self[.speech] ?? 0))
        case .mean, .variance: return seconds
        case .sum, .least, .greatest, .anew: return 0
        }
    }
}

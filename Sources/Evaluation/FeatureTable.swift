import Errors
import Storage

/// Features of one video as networks give them, row by row, by metric.
struct FeatureTable {
    private var values: [String: [Float]] = [:]
    private var lengths: [String: Int] = [:]

    var metrics: [String] { values.keys.sorted() }

    mutating func append(_ row: [Float], to metric: String) {
        // A network that changes its mind is found by `check`.
        if lengths[metric] == nil { lengths[metric] = row.count }
        values[metric, default: []] += row
    }

    /// Nil where there are none.
    func rows(_ metric: String) -> Int? {
        guard let values = values[metric], let length = lengths[metric], length > 0 else {
            return nil
        }
        return values.count / length
    }

    mutating func remove(_ metric: String) { values[metric] = nil }

    /// - Throws: `LoopyError` for values that are no numbers, or rows that are not of one length.
    func check(_ metric: String, of path: String) throws {
        guard let values = values[metric], let length = lengths[metric], length > 0,
            values.count % length == 0, values.allSatisfy(\.isFinite)
        else {
            throw LoopyError(.unsuitable, 
                "\(path): its features of \(metric) hold what is no number, or are none at all")
        }
    }

    /// `[N, C]`, by metric.
    var arrays: [String: NumPyArray] {
        values.reduce(into: [:]) { arrays, entry in
            guard let length = lengths[entry.key], length > 0 else { return }
            arrays[entry.key] = NumPyArray(
                shape: [entry.value.count / length, length], values: entry.value)
        }
    }
}

import Dataset
import Foundation

/// A metric's values as whole numbers, for a browser that compares a million of them while somebody moves a
/// limit.
///
/// A limit can be any of the edges: round numbers, and the limits in use. A value that equals edge `i` has the
/// code `2i`, one between the edges `i` and `i+1` the code `2i+1`. So a comparison of codes says exactly what
/// a comparison of the values says: a value breaks the minimum at edge `i` where its code is below `2i`, and
/// the maximum there where it is above.
package struct MetricScale: Equatable {
    /// The edges in rising order; the first is no higher than any value.
    package let edges: [Double]
    /// The code of a value that was not measured.
    package static let unmeasured = UInt16.max
    /// The number of edges within the range that most values have, about.
    private static let fine = 400.0
    /// The same of all values: those far out need no fine limits.
    private static let coarse = 100.0

    /// - Parameters:
    ///   - values: some of the values, so many that no kind of them is missed, and the least and the greatest.
    ///   - limits: the limits in use, which are edges whatever they are.
    package init(_ values: [Double], limits: [Double]) {
        let sorted = values.sorted()
        guard let least = sorted.first, let greatest = sorted.last else {
            edges = limits.isEmpty ? [0] : Array(Set(limits)).sorted()
            return
        }
        var edges = Set(limits)
        let usual = (sorted[sorted.count / 100], sorted[sorted.count - 1 - sorted.count / 100])
        for (range, count) in [(usual, Self.fine), ((least, greatest), Self.coarse)] {
            edges.formUnion(Self.round(from: range.0, to: range.1, count: count))
        }
        self.edges = edges.sorted()
    }

    /// Round numbers at equal distances that hold a range.
    private static func round(from low: Double, to high: Double, count: Double) -> [Double] {
        let step = max((high - low) / count, 1e-6)
        let exponent = Int(log10(step).rounded(.down))
        let mantissa =
            [1.0, 2, 5, 10].first { $0 * pow(10, Double(exponent)) >= step * 0.999 } ?? 10
        // Divisions of whole numbers: what a decimal fraction reads as, to the last bit.
        func number(_ index: Double) -> Double {
            exponent < 0
                ? index * mantissa / pow(10, Double(-exponent))
                : index * mantissa * pow(10, Double(exponent))
        }
        let length = number(1)
        let first = (low / length).rounded(.down) - 1, last = (high / length).rounded(.up) + 1
        return stride(from: first, through: last, by: 1).map(number)
    }

    package func code(_ value: Double?) -> UInt16 {
        guard let value else { return Self.unmeasured }
        // The number of edges that are no higher than the value.
        var low = 0, high = edges.count
        while low < high {
            let middle = (low + high) / 2
            if edges[middle] <= value { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return 0 }
        return UInt16(2 * (low - 1) + (edges[low - 1] == value ? 0 : 1))
    }
}

import Storage

/// The features of one video, or a network's scores, row by row.
struct FeatureRows {
    private var values: [Float] = []
    /// The length of the first row.
    private var length = 0

    mutating func append(_ row: [Float]) {
        // A network that changes its mind is found by `areSound`.
        if values.isEmpty { length = row.count }
        values += row
    }

    var count: Int { length > 0 ? values.count / length : 0 }

    /// Whether there are rows, all of one length, and all of them finite numbers.
    var areSound: Bool {
        length > 0 && values.count % length == 0 && values.allSatisfy(\.isFinite)
    }

    /// The first value of every row.
    var firstValues: [Double] {
        stride(from: 0, to: count * length, by: max(1, length)).map { Double(values[$0]) }
    }

    /// `[N, C]`
    var array: NumPyArray { NumPyArray(shape: [count, length], values: values) }
}

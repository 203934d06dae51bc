/// A stretch of sound that is being put together: zeros, onto which pieces are laid; of pieces that
/// overlap, the later one stands.
struct SpeechBuffer {
    private var left: [Float]
    /// Empty until a piece has two channels.
    private var right: [Float] = []

    var count: Int { left.count }

    init(count: Int) { left = [Float](repeating: 0, count: count) }

    /// Appends zeros; does nothing when it is that long already.
    mutating func extend(to count: Int) {
        let missing = max(0, count - left.count)
        left.append(contentsOf: repeatElement(0, count: missing))
        if !right.isEmpty { right.append(contentsOf: repeatElement(0, count: missing)) }
    }

    mutating func removeFirst(_ count: Int) {
        left.removeFirst(count)
        if !right.isEmpty { right.removeFirst(count) }
    }

    /// Lays down what of a piece falls within.
    ///
    /// - Parameter position: where the piece's first sample belongs.
    mutating func lay(_ piece: SpeechTimeline.Piece, at position: Int) {
        let from = max(0, -position), to = min(piece.count, count - position)
        guard from < to else { return }
        if piece.channels.count == 2, right.isEmpty { right = left }
        for index in from..<to {
            left[position + index] = Self.finite(piece.channels[0][index])
        }
        guard !right.isEmpty else { return }
        let second = piece.channels[piece.channels.count - 1]
        for index in from..<to {
            right[position + index] = Self.finite(second[index])
        }
    }

    /// Files of floating-point sound can hold values that are no numbers.
    private static func finite(_ value: Float) -> Float { value.isFinite ? value : 0 }

    func statistics(_ range: Range<Int>) -> ChannelStatistics {
        var statistics = ChannelStatistics()
        let second = right.isEmpty ? left : right
        for index in range { statistics.add(left[index], second[index]) }
        return statistics
    }

    func mixed(_ range: Range<Int>, by mixing: ChannelStatistics.Mixing) -> [Float] {
        guard !right.isEmpty, mixing != .left else { return Array(left[range]) }
        guard mixing == .average else { return Array(right[range]) }
        return range.map { (left[$0] + right[$0]) / 2 }
    }
}

/// What decides how two channels become one, and what is known of the result.
struct ChannelStatistics {
    enum Mixing { case average, left, right }

    private struct Sums {
        var values = 0.0
        var squares = 0.0

        mutating func add(_ value: Float) {
            values += Double(value)
            squares += Double(value * value)
        }

        static func += (sums: inout Sums, other: Sums) {
            sums.values += other.values
            sums.squares += other.squares
        }
    }

    private(set) var count = 0
    private var average = Sums(), left = Sums(), right = Sums()

    mutating func add(_ first: Float, _ second: Float) {
        count += 1
        average.add((first + second) / 2)
        left.add(first)
        right.add(second)
    }

    static func += (statistics: inout ChannelStatistics, other: ChannelStatistics) {
        statistics.count += other.count
        statistics.average += other.average
        statistics.left += other.left
        statistics.right += other.right
    }

    /// The average, unless the channels cancel each other: then the louder one.
    var mixing: Mixing {
        guard average.squares < 0.01 * max(left.squares, right.squares) else { return .average }
        return left.squares >= right.squares ? .left : .right
    }

    private var sums: Sums {
        switch mixing {
        case .average: average
        case .left: left
        case .right: right
        }
    }

    /// The mean of the sound as `mixing` mixes it; 0 where there is none.
    var mean: Double { count == 0 ? 0 : sums.values / Double(count) }

    /// The mean of the squared differences from the mean.
    var variance: Double {
        count == 0 ? 0 : max(0, sums.squares / Double(count) - mean * mean)
    }
}

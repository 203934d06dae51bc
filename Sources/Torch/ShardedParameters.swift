import Errors

/// Parameters as one row of numbers of which each rank of a group owns an equal part, and what ranks send
/// each other of it.
///
/// A part has `partCount` numbers; the last ones are filled up with zeros. What is sent at once is a window:
/// the same stretch of every rank's part.
struct ShardedParameters {
    let parameters: [(name: String, tensor: Tensor)]
    private let group: ProcessGroup
    private let type: ElementType
    private let device: Device
    /// Where each parameter begins in the row.
    private let offsets: [Int]
    private let total: Int
    private let partCount: Int
    /// The stretches of a part that are sent at once.
    private let windows: [Range<Int>]

    /// What one parameter has in a stretch of the row.
    struct Piece {
        /// The index of the parameter.
        let index: Int
        /// The numbers of the parameter, counted from its first.
        let range: Range<Int>
    }

    /// - Parameter bucketBytes: how much is sent at once.
    init(
        _ parameters: [(name: String, tensor: Tensor)], _ group: ProcessGroup, bucketBytes: Int
    ) {
        self.parameters = parameters
        self.group = group
        type = parameters.first?.tensor.type ?? .float32
        device = parameters.first?.tensor.device ?? .cpu
        var offsets: [Int] = [], total = 0
        for (_, tensor) in parameters {
            offsets.append(total)
            total += tensor.count
        }
        (self.offsets, self.total) = (offsets, total)
        partCount = (total + group.size - 1) / group.size
        let width = max(1, bucketBytes / type.size / group.size)
        let end = partCount
        windows = stride(from: 0, to: end, by: width).map { $0..<min(end, $0 + width) }
    }

    /// The pieces that a rank owns.
    func pieces(of rank: Int) -> [Piece] { pieces(stretch(of: rank, 0..<partCount)) }

    /// The rank that owns a parameter's first number.
    func owner(of index: Int) -> Int { min(group.size - 1, offsets[index] / max(1, partCount)) }

    /// A view of the numbers of a piece, in a tensor of the parameter's shape: `[n]`.
    static func view(_ tensor: Tensor, _ piece: Piece) -> Tensor {
        tensor.detached().reshaped([-1])[piece.range]
    }

    /// Sums a row over the ranks, and gives the part that this one owns.
    ///
    /// - Parameters:
    ///   - values: the tensor of a parameter's shape, by its index; nil for zeros.
    ///   - sent: the type in which numbers travel.
    /// - Returns: `[partCount]`.
    func reduceScatter(
        as sent: ElementType, _ values: (Int) -> Tensor?
    ) throws(LoopyError) -> Tensor {
        let part = Tensor.empty([partCount], type: type, device: device)
        for window in windows {
            var all: [Tensor] = []
            for rank in 0..<group.size {
                all += numbers(stretch(of: rank, window), count: window.count, values)
            }
            let own = try group.reduceScatter(concatenated(all, along: 0).to(sent))
            part[window] = own.to(type)
        }
        return part
    }

    /// Collects the parts of all ranks.
    ///
    /// - Parameters:
    ///   - values: a tensor of a piece's length, by the piece's parameter, for those that this rank owns;
    ///     nil for zeros.
    ///   - take: called with each piece of each rank, and its numbers `[n]`.
    func allGather(
        _ values: (Int) -> Tensor?, take: (_ rank: Int, Piece, Tensor) -> Void
    ) throws(LoopyError) {
        let owned = pieces(of: group.rank)
        let starts = Dictionary(
            uniqueKeysWithValues: owned.map { ($0.index, $0.range.lowerBound) })
        for window in windows {
            let own = pieces(stretch(of: group.rank, window)).map { piece in
                let count = piece.range.count
                guard let whole = values(piece.index), let start = starts[piece.index] else {
                    return Tensor.zeros([count], type: type, device: device)
                }
                let first = piece.range.lowerBound - start
                return whole[first..<(first + count)]
            }
            let all = try group.allGather(padded(own, to: window.count))
            for rank in 0..<group.size {
                var start = rank * window.count
                for piece in pieces(stretch(of: rank, window)) {
                    take(rank, piece, all[start..<(start + piece.range.count)])
                    start += piece.range.count
                }
            }
        }
    }

    /// The numbers of a stretch, and zeros behind the row's end.
    private func numbers(
        _ stretch: Range<Int>, count: Int, _ values: (Int) -> Tensor?
    ) -> [Tensor] {
        let numbers = pieces(stretch).map { piece in
            values(piece.index).map { Self.view($0, piece) }
                ?? .zeros([piece.range.count], type: type, device: device)
        }
        return [padded(numbers, to: count)]
    }

    private func padded(_ numbers: [Tensor], to count: Int) -> Tensor {
        let missing = count - numbers.reduce(0) { $0 + $1.count }
        let zeros = missing > 0 ? [Tensor.zeros([missing], type: type, device: device)] : []
        return concatenated(numbers + zeros, along: 0)
    }

    /// Where a window of a rank's part is in the row; it ends where the row does.
    private func stretch(of rank: Int, _ window: Range<Int>) -> Range<Int> {
        let start = rank * partCount
        return min(total, start + window.lowerBound)..<min(total, start + window.upperBound)
    }

    private func pieces(_ stretch: Range<Int>) -> [Piece] {
        guard !stretch.isEmpty else { return [] }
        // The last parameter that begins at or before the stretch.
        var low = 0, high = offsets.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if offsets[middle] <= stretch.lowerBound { low = middle } else { high = middle }
        }
        var pieces: [Piece] = []
        var index = low
        while index < offsets.count, offsets[index] < stretch.upperBound {
            let start = max(stretch.lowerBound, offsets[index])
            let end = min(stretch.upperBound, offsets[index] + parameters[index].tensor.count)
            if start < end {
                pieces.append(
                    Piece(index: index, range: (start - offsets[index])..<(end - offsets[index])))
            }
            index += 1
        }
        return pieces
    }
}

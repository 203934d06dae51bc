// Views: other shapes of the same elements. Only `reshaped` copies, where it must.
extension Tensor {
    /// One length may be -1: whatever is left.
    public func reshaped(_ shape: [Int]) -> Tensor { Operator.reshape(self, shape) }

    public func reshaped(_ shape: Int...) -> Tensor { reshaped(shape) }

    public func transposed(_ a: Int, _ b: Int) -> Tensor { Operator.transpose(self, a, b) }

    /// Axes in another order.
    public func permuted(_ axes: Int...) -> Tensor { Operator.permute(self, axes) }

    /// Adds an axis of length 1.
    public func unsqueezed(_ axis: Int) -> Tensor { Operator.unsqueeze(self, axis) }

    /// Removes an axis of length 1; one that is longer stays.
    public func squeezed(_ axis: Int) -> Tensor { Operator.squeeze(self, axis) }

    public func flattened(from first: Int = 0, through last: Int = -1) -> Tensor {
        Operator.flatten(self, first, last)
    }

    /// Repeats axes of length 1 without copying; -1 leaves an axis as it is.
    public func expanded(_ shape: [Int]) -> Tensor { Operator.expand(self, shape) }

    public func expanded(_ shape: Int...) -> Tensor { expanded(shape) }

    /// Each element several times over, along an axis: a copy.
    public func repeatInterleave(_ times: Int, along axis: Int) -> Tensor {
        Operator.repeatInterleave(self, times, axis)
    }

    /// Equal parts along an axis; the last may be shorter, and there may be fewer of them.
    public func chunks(_ count: Int, along axis: Int) -> [Tensor] {
        Operator.chunk.tensors(self, count, axis)
    }

    /// Parts of given lengths along an axis.
    public func split(_ lengths: [Int], along axis: Int) -> [Tensor] {
        Operator.split.tensors(self, lengths, axis)
    }

    /// Overlapping windows along an axis: it keeps the windows' starts, and a last axis of length
    /// `size` is added.
    public func unfold(along axis: Int, size: Int, step: Int) -> Tensor {
        Operator.unfold(self, axis, size, step)
    }

    /// A view by strides, in elements.
    ///
    /// - Parameter offset: the distance of the first element from the beginning of the memory; this
    ///   tensor's own when left out.
    public func asStrided(_ shape: [Int], strides: [Int], offset: Int? = nil) -> Tensor {
        Operator.asStrided(self, shape, strides, offset)
    }

    /// The elements at `indices` (int64) of an axis: a copy.
    public func indexSelect(_ indices: Tensor, along axis: Int) -> Tensor {
        Operator.indexSelect(self, axis, indices)
    }
}

/// Joins along an axis that all have.
public func concatenated(_ tensors: [Tensor], along axis: Int) -> Tensor {
    Operator.concatenate(tensors, axis)
}

/// Joins along a new axis.
public func stacked(_ tensors: [Tensor], along axis: Int) -> Tensor {
    Operator.stack(tensors, axis)
}

/// An index in `tensor[…]`: an index, a range, `.all`, `.rest`, `.newAxis`.
public protocol TensorIndex {
    /// Applies itself to an axis, and returns the axis that the next index concerns.
    func apply(to tensor: inout Tensor, axis: Int, following: Int) -> Int
    /// Axes of the tensor that it speaks of.
    var axes: Int { get }
}

extension TensorIndex {
    public var axes: Int { 1 }
}

extension Tensor {
    /// A view, as in numpy: `x[0]`, `x[.all, 1..<3]`, `x[.rest, -1]`, `x[2...]`.
    ///
    /// Setting overwrites the elements of the view.
    public subscript(_ indices: any TensorIndex...) -> Tensor {
        get { view(indices) }
        nonmutating set { view(indices).assign(newValue) }
    }

    private func view(_ indices: [any TensorIndex]) -> Tensor {
        var following = indices.reduce(0) { $0 + $1.axes }
        require(following <= rank, "\(following) indices are too many for \(self)")
        var view = self
        var axis = 0
        for index in indices {
            following -= index.axes
            axis = index.apply(to: &view, axis: axis, following: following)
        }
        return view
    }

    fileprivate func slice(_ axis: Int, _ range: Range<Int>) -> Tensor {
        require(
            range.lowerBound >= 0 && range.upperBound <= length(axis),
            "\(range) is outside of axis \(axis) of \(self)")
        return Operator.slice(self, axis, range.lowerBound, range.upperBound)
    }
}

extension Int: TensorIndex {
    public func apply(to tensor: inout Tensor, axis: Int, following: Int) -> Int {
        tensor = Operator.select(tensor, axis, self)
        return axis
    }
}

extension Range<Int>: TensorIndex {
    public func apply(to tensor: inout Tensor, axis: Int, following: Int) -> Int {
        tensor = tensor.slice(axis, self)
        return axis + 1
    }
}

extension PartialRangeFrom<Int>: TensorIndex {
    public func apply(to tensor: inout Tensor, axis: Int, following: Int) -> Int {
        tensor = tensor.slice(axis, lowerBound..<tensor.length(axis))
        return axis + 1
    }
}

extension PartialRangeUpTo<Int>: TensorIndex {
    public func apply(to tensor: inout Tensor, axis: Int, following: Int) -> Int {
        tensor = tensor.slice(axis, 0..<upperBound)
        return axis + 1
    }
}

/// `.all` of an axis, `.rest` of the axes before the indices that follow, a `.newAxis`.
public struct AxisIndex: TensorIndex {
    fileprivate enum Kind { case all, rest, newAxis }

    fileprivate let kind: Kind

    public var axes: Int { kind == .all ? 1 : 0 }

    public func apply(to tensor: inout Tensor, axis: Int, following: Int) -> Int {
        switch kind {
        case .all: return axis + 1
        case .rest: return tensor.rank - following
        case .newAxis:
            tensor = tensor.unsqueezed(axis)
            return axis + 1
        }
    }
}

extension TensorIndex where Self == AxisIndex {
    public static var all: AxisIndex { AxisIndex(kind: .all) }
    public static var rest: AxisIndex { AxisIndex(kind: .rest) }
    public static var newAxis: AxisIndex { AxisIndex(kind: .newAxis) }
}

extension Operator {
    fileprivate static let reshape = Operator("aten::reshape")
    fileprivate static let transpose = Operator("aten::transpose", "int")
    fileprivate static let permute = Operator("aten::permute")
    fileprivate static let unsqueeze = Operator("aten::unsqueeze")
    fileprivate static let squeeze = Operator("aten::squeeze", "dim")
    fileprivate static let flatten = Operator("aten::flatten", "using_ints")
    fileprivate static let expand = Operator("aten::expand")
    fileprivate static let repeatInterleave = Operator("aten::repeat_interleave", "self_int")
    fileprivate static let chunk = Operator("aten::chunk")
    fileprivate static let split = Operator("aten::split_with_sizes")
    fileprivate static let unfold = Operator("aten::unfold")
    fileprivate static let asStrided = Operator("aten::as_strided")
    fileprivate static let indexSelect = Operator("aten::index_select")
    fileprivate static let concatenate = Operator("aten::cat")
    fileprivate static let stack = Operator("aten::stack")
    fileprivate static let select = Operator("aten::select", "int")
    fileprivate static let slice = Operator("aten::slice", "Tensor")
}

import CTorch

/// A tensor of libtorch. A copy of the value refers to the same elements, as in Python.
///
/// Shapes are written with the field's letters: `B` batch, `F` frames, `T` time, `N` tokens,
/// `C` channels, `H W` rows and columns. Axes count from 0, or from the end: -1 is the last.
public struct Tensor {
    /// Keeps the reference that it was given, until nobody needs it.
    final class Handle {
        let pointer: LoopyTensor

        init(_ pointer: LoopyTensor) { self.pointer = pointer }

        deinit { loopy_torch_release(pointer) }
    }

    let handle: Handle

    init(owning pointer: LoopyTensor) { handle = Handle(pointer) }

    /// Number of axes.
    public var rank: Int { Int(loopy_torch_rank(handle.pointer)) }

    public var shape: [Int] { layout { loopy_torch_layout(handle.pointer, $0, nil) } }

    /// Distance of neighbours along each axis, in elements.
    public var strides: [Int] { layout { loopy_torch_layout(handle.pointer, nil, $0) } }

    /// The length of one axis.
    public func length(_ axis: Int) -> Int {
        let shape = shape
        return shape[axis < 0 ? axis + shape.count : axis]
    }

    /// Number of elements.
    public var count: Int { shape.reduce(1, *) }

    public var type: ElementType {
        ElementType(code: loopy_torch_element_type(handle.pointer))
    }

    public var device: Device {
        var type: Int32 = 0, index: Int32 = 0
        loopy_torch_device(handle.pointer, &type, &index)
        return Device(type: type, index: index)
    }

    /// Whether elements lie in the order of the axes, without gaps.
    public var isContiguous: Bool { loopy_torch_is_contiguous(handle.pointer) }

    private func layout(_ fill: (UnsafeMutablePointer<Int64>?) -> Void) -> [Int] {
        [Int](unsafeUninitializedCapacity: rank) { buffer, filled in
            filled = buffer.count
            // Int and Int64 are one on the platforms that libtorch runs on.
            buffer.withMemoryRebound(to: Int64.self) { fill($0.baseAddress) }
        }
    }
}

extension Tensor: CustomStringConvertible {
    /// Type, shape and place; not the elements.
    public var description: String {
        let place = device == .cpu ? "" : " on \(device)"
        return "\(type)\(shape)\(place)"
    }
}

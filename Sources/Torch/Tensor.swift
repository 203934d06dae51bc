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

    /// Lends the reference to a call of the C ABI. (A handle that is not used any more is released
    /// at once, and the pointer alone does not count as a use.)
    func lend<Result>(_ body: (LoopyTensor) -> Result) -> Result {
        withExtendedLifetime(handle) { body(handle.pointer) }
    }

    /// Number of axes.
    public var rank: Int { lend { Int(loopy_torch_rank($0)) } }

    public var shape: [Int] { layout { loopy_torch_layout($0, $1, nil) } }

    /// Distance of neighbours along each axis, in elements.
    public var strides: [Int] { layout { loopy_torch_layout($0, nil, $1) } }

    /// The length of one axis.
    public func length(_ axis: Int) -> Int {
        let shape = shape
        return shape[axis < 0 ? axis + shape.count : axis]
    }

    /// Number of elements.
    public var count: Int { shape.reduce(1, *) }

    public var type: ElementType { ElementType(code: lend(loopy_torch_element_type)) }

    public var device: Device {
        var type: Int32 = 0, index: Int32 = 0
        lend { loopy_torch_device($0, &type, &index) }
        return Device(type: type, index: index)
    }

    /// Whether elements lie in the order of the axes, without gaps.
    public var isContiguous: Bool { lend(loopy_torch_is_contiguous) }

    private func layout(_ fill: (LoopyTensor, UnsafeMutablePointer<Int64>?) -> Void) -> [Int] {
        [Int](unsafeUninitializedCapacity: rank) { buffer, filled in
            filled = buffer.count
            // Int and Int64 are one on the platforms that libtorch runs on.
            buffer.withMemoryRebound(to: Int64.self) { sizes in
                lend { fill($0, sizes.baseAddress) }
            }
        }
    }
}

extension Tensor: CustomStringConvertible {
    /// The type, shape and device; not the elements.
    public var description: String {
        let suffix = device == .cpu ? "" : " on \(device)"
        return "\(type)\(shape)\(suffix)"
    }
}

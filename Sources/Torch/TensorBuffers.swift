import CTorch
import Weights

// Elements come from Swift's memory, and go back to it.
extension Tensor {
    /// A copy of an array's values.
    ///
    /// - Parameter shape: one axis when left out.
    public init<Scalar: TensorScalar>(
        _ values: [Scalar], shape: [Int]? = nil, device: Device = .cpu
    ) {
        let shape = shape ?? [values.count]
        require(
            shape.reduce(1, *) == values.count, "\(values.count) values do not fill \(shape)")
        let filled = Tensor.empty(shape, type: Scalar.elementType)
        values.withUnsafeBytes { source in
            filled.withElements { $0.copyMemory(from: source) }
        }
        self = filled.to(device)
    }

    /// A tensor on memory that somebody else owns, without copying it.
    ///
    /// - Parameters:
    ///   - memory: aligned to the element's size.
    ///   - strides: elements in the order of the axes, without gaps, when left out.
    ///   - owner: kept alive as long as a tensor refers to the memory; released by whichever thread
    ///     lets go last.
    public init(
        sharing memory: UnsafeMutableRawPointer, shape: [Int], strides: [Int]? = nil,
        type: ElementType, owner: AnyObject
    ) {
        var step = 1
        let dense = shape.reversed().map { length -> Int in
            defer { step *= length }
            return step
        }
        let kept = Unmanaged.passRetained(owner)
        var pointer: LoopyTensor?
        let message = loopy_torch_wrap(
            memory, shape.map(Int64.init), (strides ?? dense.reversed()).map(Int64.init),
            Int64(shape.count), type.code, kept.toOpaque(),
            { Unmanaged<AnyObject>.fromOpaque($0!).release() },  // the pointer retained above
            &pointer)
        trapping("sharing memory as \(type)\(shape)", message)
        self.init(owning: pointer!)  // set when there is no message
    }

    /// A tensor of a checkpoint: mapped, not copied, where its offset in the file allows it.
    ///
    /// Changing it changes memory and never the file; whoever else has this tensor of the same
    /// `Checkpoint`, opened once, sees the change.
    public init(_ stored: StoredTensor) {
        let isAligned = Int(bitPattern: stored.bytes.baseAddress) % stored.type.size == 0
        if let base = stored.bytes.baseAddress, isAligned, stored.count > 0 {
            self.init(
                // Mapped privately, for writing too.
                sharing: UnsafeMutableRawPointer(mutating: base), shape: stored.shape,
                strides: stored.strides, type: stored.type, owner: stored.owner)
        } else {
            self = .empty(stored.shape, type: stored.type)
            withElements { stored.copy(to: $0) }
        }
    }

    /// The elements, in the order of the axes.
    public func array<Scalar: TensorScalar>(of scalar: Scalar.Type = Scalar.self) -> [Scalar] {
        let dense = detached().to(.cpu).to(Scalar.elementType).contiguous()
        return [Scalar](unsafeUninitializedCapacity: dense.count) { buffer, filled in
            dense.withElements { elements in
                UnsafeMutableRawBufferPointer(buffer).copyMemory(
                    from: UnsafeRawBufferPointer(elements))
            }
            filled = buffer.count
        }
    }

    /// The only element. (Integers beyond 2⁵³ are rounded.)
    public var scalar: Double {
        require(count == 1, "\(self) is not one number")
        return Operator.item.number(self)
    }

    /// Lends the elements' bytes, in the order of the axes; copied first where they lie otherwise.
    public func withBytes<Result>(
        _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        let dense = detached().to(.cpu).contiguous()
        return try dense.withElements { try body(UnsafeRawBufferPointer($0)) }
    }

    /// Lends the elements for writing.
    ///
    /// - Precondition: contiguous, on the CPU, of that type.
    public func withMutableElements<Scalar: TensorScalar, Result>(
        of scalar: Scalar.Type, _ body: (UnsafeMutableBufferPointer<Scalar>) throws -> Result
    ) rethrows -> Result {
        require(
            isContiguous && device == .cpu && type == Scalar.elementType,
            "\(self) cannot be written as \(Scalar.self)")
        return try withElements { try body($0.bindMemory(to: Scalar.self)) }
    }

    /// Lends the elements of a contiguous tensor on the CPU.
    private func withElements<Result>(
        _ body: (UnsafeMutableRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        try withExtendedLifetime(handle) {
            var data: UnsafeMutableRawPointer?
            trapping("the elements of \(self)", loopy_torch_data(handle.pointer, &data))
            let bytes = data == nil ? 0 : count * type.size
            return try body(UnsafeMutableRawBufferPointer(start: data, count: bytes))
        }
    }

    public func to(_ type: ElementType) -> Tensor {
        self.type == type ? self : Operator.toType(self, type)
    }

    public func to(_ device: Device) -> Tensor {
        self.device == device ? self : Operator.toDevice(self, device, type)
    }

    /// The same elements in the order of the axes; copied only where they lie otherwise.
    public func contiguous() -> Tensor { isContiguous ? self : Operator.contiguous(self) }

    /// The same values in the order in which convolutions are fastest: channels last.
    ///
    /// - Precondition: `[B, C, H, W]`.
    public func channelsLast() -> Tensor { Operator.contiguous(self, 2) }

    /// Elements of its own.
    public func copy() -> Tensor { Operator.clone(self) }

    /// Overwrites the elements with those of another tensor, of any type and device; its shape
    /// broadcasts, and a single element fills any shape.
    public func assign(_ other: Tensor) {
        Operator.copy(self, other.count == 1 ? other.reshaped([]) : other)
    }
}

extension Operator {
    fileprivate static let toType = Operator("aten::to", "dtype")
    fileprivate static let toDevice = Operator("aten::to", "device")
    fileprivate static let contiguous = Operator("aten::contiguous")
    fileprivate static let clone = Operator("aten::clone")
    fileprivate static let copy = Operator("aten::copy_")
    fileprivate static let item = Operator("aten::item")
}

import CTorch
import Weights

extension Tensor {
    /// Whether operators on it are recorded for the backward pass.
    public var requiresGradient: Bool { lend(loopy_torch_requires_gradient) }

    /// - Precondition: a tensor of real numbers that no operator made.
    @discardableResult
    public func requiringGradient(_ isRequired: Bool = true) -> Tensor {
        trapping(
            "requiring a gradient of \(self)",
            lend { loopy_torch_set_requires_gradient($0, isRequired) })
        return self
    }

    /// What backward passes added up so far; nil before the first. Setting it to nil starts anew.
    public var gradient: Tensor? {
        get { lend { loopy_torch_gradient($0) }.map { Tensor(owning: $0) } }
        nonmutating set {
            if let newValue {
                require(
                    newValue.shape == shape && newValue.type == type && newValue.device == device,
                    "\(newValue) is no gradient of \(self)")
                lend { tensor in newValue.lend { loopy_torch_set_gradient(tensor, $0) } }
            } else {
                lend { loopy_torch_set_gradient($0, nil) }
            }
        }
    }

    /// Adds the derivatives of this tensor to the gradients of all that it was computed from.
    ///
    /// - Parameters:
    ///   - gradient: what flows into this tensor; may be left out for a single number.
    ///   - retainGraph: so that it can be done again.
    public func backward(_ gradient: Tensor? = nil, retainGraph: Bool = false) {
        trapping(
            "the backward pass of \(self)",
            withExtendedLifetime((self, gradient)) {
                loopy_torch_backward(handle.pointer, gradient?.handle.pointer, retainGraph)
            })
    }

    /// The same elements, outside of what is recorded.
    public func detached() -> Tensor { Operator.detach(self) }
}

/// Runs a body whose operators are not recorded. Synchronous: the mode is the thread's.
public func withoutGradient<Result>(_ body: () throws -> Result) rethrows -> Result {
    let former = loopy_torch_enable_gradients(false)
    defer { _ = loopy_torch_enable_gradients(former) }
    return try body()
}

/// Runs a body whose operators are recorded, also inside `withoutGradient`.
public func withGradient<Result>(_ body: () throws -> Result) rethrows -> Result {
    let former = loopy_torch_enable_gradients(true)
    defer { _ = loopy_torch_enable_gradients(former) }
    return try body()
}

/// Runs a body in which convolutions, matrix products and attention compute in a shorter type, and
/// what needs precision stays float32. Synchronous: the mode is the thread's. Weights that require
/// gradients are converted once, for the outermost such body: they must not change within it.
///
/// - Parameter type: bfloat16 or float16.
public func withAutocast<Result>(
    _ device: Device, _ type: ElementType = .bfloat16, _ body: () throws -> Result
) rethrows -> Result {
    require(type == .bfloat16 || type == .float16, "\(type) is not a shorter type")
    var wasEnabled = false
    var formerType: Int32 = 0
    trapping(
        "autocast to \(type) on \(device)",
        loopy_torch_begin_autocast(device.type, type.code, &wasEnabled, &formerType))
    defer { loopy_torch_end_autocast(device.type, wasEnabled, formerType) }
    return try body()
}

extension Operator {
    fileprivate static let detach = Operator("aten::detach")
}

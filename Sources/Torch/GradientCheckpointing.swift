import CTorch

/// Runs a body without keeping what its backward pass needs, which runs the body again: memory for
/// time. (PyTorch's `checkpoint` with `use_reentrant=True`.)
///
/// Only inputs and results stay in memory in between. Gradients of leaves that the body captures,
/// its weights, add up as ever. While operators are recorded, results require gradients whatever
/// the inputs do, for the weights may. Within `withoutGradient` this is a call of the body.
///
/// The second run has the autocast of the first, and on CUDA it is on a thread of libtorch's. The
/// body must compute the same again: it draws no random numbers, and changes no input in place.
///
/// - Parameters:
///   - inputs: all that the body uses of what recorded operators made, of any types.
///   - body: kept until the results' graph is gone.
public func gradientCheckpointed(
    _ inputs: [Tensor], _ body: @escaping ([Tensor]) -> [Tensor]
) -> [Tensor] {
    var results: UnsafeMutablePointer<LoopyTensor?>?
    var count: Int32 = 0
    let called = LoopyBody(
        owner: Unmanaged.passRetained(RecomputedBody(body)).toOpaque(),
        // The pointers are to the object retained above, and to as many tensors as are counted.
        call: { owner, inputs, count, outputs in
            let body = Unmanaged<RecomputedBody>.fromOpaque(owner!).takeUnretainedValue()
            body.run(UnsafeBufferPointer(start: inputs, count: Int(count)), outputs!)
        },
        release: { Unmanaged<RecomputedBody>.fromOpaque($0!).release() })
    trapping(
        "a body to be recomputed",
        withExtendedLifetime(inputs) {
            loopy_torch_gradient_checkpointed(
                called, inputs.map { $0.handle.pointer }, Int32(inputs.count), &results, &count)
        })
    defer { loopy_torch_free_results(results) }
    return (0..<Int(count)).map { Tensor(owning: results![$0]!) }  // there when nothing is said
}

/// A body behind a pointer.
private final class RecomputedBody {
    private let body: ([Tensor]) -> [Tensor]

    init(_ body: @escaping ([Tensor]) -> [Tensor]) { self.body = body }

    /// - Parameter inputs: become this call's.
    func run(_ inputs: UnsafeBufferPointer<LoopyTensor?>, _ outputs: LoopyTensorList) {
        for output in body(inputs.map { Tensor(owning: $0!) }) {  // never undefined
            output.lend { loopy_torch_append(outputs, $0) }
        }
    }
}

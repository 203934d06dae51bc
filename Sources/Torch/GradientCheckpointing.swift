import CTorch

/// Runs a body without keeping what its backward pass needs, which runs the body again: memory for
/// time. (PyTorch's `torch.utils.checkpoint` with `use_reentrant=True`.)
///
///     let results = gradientCheckpointed(x, audio) { x, audio in [layer(x, audio)] }
///
/// Only inputs and results stay in memory in between. The gradients of leaves that the body captures,
/// its weights, add up as ever. While operators are recorded, results require gradients whatever the
/// inputs do, for the weights may. Within `withoutGradient` this is a call of the body.
///
/// The second run has the autocast of the first, and on CUDA it is on a thread of libtorch's. The
/// body must compute the same again: it draws no random numbers, and changes no input in place.
///
/// - Parameters:
///   - isEnabled: whether the backward pass runs the body again; otherwise the body is called as it is.
///   - inputs: all that the body uses of what recorded operators made: tensors of any types, some of
///     which may be missing.
///   - body: a function of the inputs, which is kept until the results' graph is gone.
public func gradientCheckpointed<each Input: CheckpointedInput>(
    when isEnabled: Bool = true, _ inputs: repeat each Input,
    body: @escaping (repeat each Input) -> [Tensor]
) -> [Tensor] {
    guard isEnabled else { return body(repeat each inputs) }
    var given: [[Tensor?]] = []
    for input in repeat each inputs { given.append(input.checkpointedTensors) }
    let counts = given.map(\.count)
    return checkpointed(given.flatMap { $0 }) { tensors in
        var inputs = InputGroups(tensors: tensors[...], counts: counts[...])
        return body(repeat (each Input)(checkpointed: inputs.next()))
    }
}

/// What a body with gradient checkpointing takes: a tensor, one that may be missing, or several.
public protocol CheckpointedInput {
    /// Its tensors, in an order that `init(checkpointed:)` knows.
    var checkpointedTensors: [Tensor?] { get }

    /// - Parameter tensors: as many as `checkpointedTensors` gave, and missing where those were.
    init(checkpointed tensors: [Tensor?])
}

extension Tensor: CheckpointedInput {
    public var checkpointedTensors: [Tensor?] { [self] }
    public init(checkpointed tensors: [Tensor?]) { self = tensors[0]! }  // it was there
}

extension Tensor?: CheckpointedInput {
    public var checkpointedTensors: [Tensor?] { [self] }
    public init(checkpointed tensors: [Tensor?]) { self = tensors[0] }
}

extension [Tensor]: CheckpointedInput {
    public var checkpointedTensors: [Tensor?] { self }
    public init(checkpointed tensors: [Tensor?]) { self = tensors.map { $0! } }  // they were there
}

/// Parts a list of tensors into what the inputs gave, one after the other.
private struct InputGroups {
    var tensors: ArraySlice<Tensor?>
    var counts: ArraySlice<Int>

    mutating func next() -> [Tensor?] {
        let count = counts.removeFirst()
        defer { tensors.removeFirst(count) }
        return Array(tensors.prefix(count))
    }
}

private func checkpointed(
    _ inputs: [Tensor?], _ body: @escaping ([Tensor?]) -> [Tensor]
) -> [Tensor] {
    var results: UnsafeMutablePointer<LoopyTensor?>?
    var count: Int32 = 0
    let called = LoopyBody(
        owner: Unmanaged.passRetained(CheckpointedBody(body)).toOpaque(),
        // The pointers are to the object retained above, and to as many tensors as are counted.
        call: { owner, inputs, count, outputs in
            let body = Unmanaged<CheckpointedBody>.fromOpaque(owner!).takeUnretainedValue()
            body.run(UnsafeBufferPointer(start: inputs, count: Int(count)), outputs!)
        },
        release: { Unmanaged<CheckpointedBody>.fromOpaque($0!).release() })
    trapping(
        "a body with gradient checkpointing",
        withExtendedLifetime(inputs) {
            loopy_torch_gradient_checkpointed(
                called, inputs.map { $0?.handle.pointer }, Int32(inputs.count), &results, &count)
        })
    defer { loopy_torch_free_results(results) }
    return (0..<Int(count)).map { Tensor(owning: results![$0]!) }  // there when nothing is said
}

/// A body behind a pointer.
private final class CheckpointedBody {
    private let body: ([Tensor?]) -> [Tensor]

    init(_ body: @escaping ([Tensor?]) -> [Tensor]) { self.body = body }

    /// - Parameter inputs: become this call's; NULL where an input is missing.
    func run(_ inputs: UnsafeBufferPointer<LoopyTensor?>, _ outputs: LoopyTensorList) {
        for output in body(inputs.map { $0.map(Tensor.init(owning:)) }) {
            output.lend { loopy_torch_append(outputs, $0) }
        }
    }
}

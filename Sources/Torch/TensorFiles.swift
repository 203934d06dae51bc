import Weights

extension SafeTensors {
    /// Hands a safetensors file of tensors to the sink piece by piece.
    ///
    /// Each tensor is fetched from its device, and put in the order of its axes, when its turn comes;
    /// types stay as they are.
    ///
    /// - Parameter sink: takes the pieces in turn; each is valid during its call only.
    /// - Throws: `LoopyError` for two tensors of one name; whatever the sink throws.
    public static func write(
        tensors: [(name: String, tensor: Tensor)], metadata: [String: String] = [:],
        to sink: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let entries = tensors.map { name, tensor in
            Entry(name, tensor.type, shape: tensor.shape) { try tensor.withBytes($0) }
        }
        try write(entries, metadata: metadata, to: sink)
    }
}

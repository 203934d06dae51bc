import CTorch
import Errors

// What is asked of a GPU besides computing. On the CPU nothing is waited for, and nothing is known of memory.
extension Device {
    /// Waits until the device has done all that was asked of it.
    public func synchronise() {
        guard case .cuda = self else { return }
        trapping("waiting for \(self)", loopy_torch_synchronise(index))
    }

    /// The bytes of memory that no program has; nil on the CPU.
    public var freeMemory: Int? {
        guard case .cuda = self else { return nil }
        var bytes: Int64 = 0
        trapping("asking \(self) for its memory", loopy_torch_free_memory(index, &bytes))
        return Int(bytes)
    }

    /// The most bytes that tensors took since this was last asked; nil on the CPU.
    public func takePeakMemory() -> Int? {
        guard case .cuda = self else { return nil }
        var bytes: Int64 = 0
        trapping("asking \(self) for its memory", loopy_torch_peak_memory(index, true, &bytes))
        return Int(bytes)
    }
}

extension LibTorch {
    /// Sets whether products of float32 on a GPU may take 10 bits of each factor, as `configure` has it.
    public static func allowTF32(_ allow: Bool) { loopy_torch_allow_tf32(allow) }

    /// Runs a body, and writes which operators it called and which kernels the GPU ran: Chrome's trace
    /// events, which Perfetto and chrome://tracing show.
    ///
    /// - Throws: `LoopyError` `.output` where the file cannot be written; what the body throws.
    public static func profile<Result>(to path: String, _ body: () throws -> Result) throws
        -> Result
    {
        trapping("beginning a profile", loopy_torch_begin_profile())
        let result = Swift.Result { try body() }
        try throwing(.output, "writing the profile \(path)", loopy_torch_end_profile(path))
        return try result.get()
    }
}

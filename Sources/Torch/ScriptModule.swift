import CTorch
import Errors
import Foundation

/// A TorchScript network, as `torch.jit.save` writes them (.pt): it brings its own graph. Of one
/// tensor in, and tensors out; belongs to one thread at a time.
public final class ScriptModule {
    public let path: String
    public let device: Device
    private let script: LoopyScript

    /// - Throws: `LoopyError` `.malformed` that names the file.
    public init(path: String, device: Device = .cpu) throws(LoopyError) {
        var loaded: LoopyScript?
        let message = loopy_torch_load_script(path, device.type, device.index, &loaded)
        try throwing(.malformed, "\(path): cannot be read as TorchScript", message)
        self.path = path
        self.device = device
        script = loaded!  // set when there is no message
    }

    deinit { loopy_torch_release_script(script) }

    /// Whether `forward` has an argument of this name.
    public func takes(_ argument: String) -> Bool {
        withExtendedLifetime(self) { loopy_torch_script_takes(script, argument) }
    }

    /// Runs `forward`, without gradients.
    ///
    /// - Parameter flags: arguments behind the tensor, by name.
    /// - Returns: its tensors, those of tuples and lists one by one.
    /// - Throws: `LoopyError` `.malformed` where the network does not take the input.
    public func callAsFunction(
        _ input: Tensor, flags: [String: Bool] = [:]
    ) throws(LoopyError) -> [Tensor] {
        var results: UnsafeMutablePointer<LoopyTensor?>?
        var count: Int32 = 0
        let moved = input.to(device)
        let names = flags.keys.sorted().map { strdup($0) }
        defer { for name in names { free(name) } }
        let message = withExtendedLifetime(self) {
            moved.lend {
                loopy_torch_run_script(
                    script, $0, names.map { UnsafePointer($0) },
                    flags.sorted { $0.key < $1.key }.map(\.value), Int32(names.count), &results,
                    &count)
            }
        }
        try throwing(.malformed, "\(path): does not take \(input)", message)
        defer { loopy_torch_free_results(results) }
        return UnsafeBufferPointer(start: results, count: Int(count)).compactMap {
            $0.map(Tensor.init(owning:))
        }
    }
}

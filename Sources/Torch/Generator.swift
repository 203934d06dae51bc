import CTorch
import Errors

/// A source of random numbers that a seed determines. The numbers differ between CPU and CUDA.
public final class Generator {
    public let device: Device
    let pointer: LoopyGenerator

    /// - Throws: `LoopyError` `.device` for a device that is not here.
    public init(seed: UInt64, device: Device = .cpu) throws(LoopyError) {
        var made: LoopyGenerator?
        try throwing(
            .device, "making a random generator on \(device)",
            loopy_torch_generator(device.type, device.index, seed, &made))
        self.device = device
        pointer = made!  // made when nothing was thrown
    }

    deinit { loopy_torch_release_generator(pointer) }

    /// The position in the sequence: bytes to store with a checkpoint.
    public var state: Tensor {
        var state: LoopyTensor?
        trapping(
            "reading a generator's state",
            withExtendedLifetime(self) { loopy_torch_generator_state(pointer, &state) })
        return Tensor(owning: state!)  // set when there is no message
    }

    /// - Throws: `LoopyError` `.mismatch` when it is not the state of such a generator.
    public func restore(_ state: Tensor) throws(LoopyError) {
        try throwing(
            .mismatch, "restoring a random generator's state",
            withExtendedLifetime((self, state)) {
                loopy_torch_set_generator_state(pointer, state.handle.pointer)
            })
    }
}

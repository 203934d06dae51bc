import CTorch

/// What libtorch refused, and what was being done. Only what depends on the world is thrown: shapes
/// that do not fit are bugs, and trap.
public struct TorchError: Error, CustomStringConvertible, Sendable {
    public enum Code: Sendable {
        /// A device that this machine, or this build of libtorch, does not have.
        case device
        /// Weights that do not fit the network.
        case weights
        /// A TorchScript network that cannot be read, or does not take what it is given.
        case script
        /// A state that cannot be restored.
        case state
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}

/// The text of a message of the C ABI, which is freed.
func takeMessage(_ message: LoopyMessage?) -> String {
    guard let message else { return "" }
    defer { loopy_torch_free_message(message) }
    return String(cString: message)
}

/// Traps where a caller's bug is found. (In release builds `precondition` does not say why.)
func require(_ holds: Bool, _ message: @autoclosure () -> String) {
    if !holds { fatalError(message()) }
}

/// For calls that can only fail by a bug.
func trapping(_ doing: @autoclosure () -> String, _ message: LoopyMessage?) {
    if let message { fatalError("\(doing()): \(takeMessage(message))") }
}

/// For calls that can fail by the state of the world.
func throwing(
    _ code: TorchError.Code, _ doing: @autoclosure () -> String, _ message: LoopyMessage?
) throws(TorchError) {
    if let message { throw TorchError(code, "\(doing()): \(takeMessage(message))") }
}

import CTorch
import Errors

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

/// Traps where a call failed that can only fail by a bug.
func trapping(_ doing: @autoclosure () -> String, _ message: LoopyMessage?) {
    if let message { fatalError("\(doing()): \(takeMessage(message))") }
}

/// Throws where a call failed that can fail by the state of the world.
func throwing(
    _ category: LoopyError.Category, _ doing: @autoclosure () -> String, _ message: LoopyMessage?
) throws(LoopyError) {
    if let message { throw LoopyError(category, "\(doing()): \(takeMessage(message))") }
}

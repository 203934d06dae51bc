/// What is wrong with a file of weights, and how to mend it.
public struct WeightsError: Error, CustomStringConvertible, Sendable {
    public enum Code: Sendable {
        /// A file, a shard or a subtree that should be there is not.
        case missing
        /// A file is damaged, cut short, or something else under the name of weights.
        case malformed
        /// A file asks for what Loopy does for no file: to run code, to read outside its folder.
        case refused
        /// A sound file of a kind, or with an element type, that Loopy does not read.
        case unsupported
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}

/// What is wrong with weights or a recording, and how to mend it.
public struct SpeechError: Error, CustomStringConvertible, Sendable {
    public enum Code: Sendable {
        /// Weights, or their configuration, that cannot be used.
        case weights
        /// A recording that cannot be encoded.
        case recording
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}

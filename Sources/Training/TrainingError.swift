/// What is wrong with the settings, the shards or a checkpoint of a training run, and how to mend it.
public struct TrainingError: Error, CustomStringConvertible, Sendable {
    public enum Code: Sendable {
        /// Settings that cannot be used.
        case configuration
        /// Shards, or what a clip of them holds.
        case shards
        /// A loss or a gradient that is no number.
        case notFinite
        /// More memory is wanted than there is.
        case memory
        /// A checkpoint that does not fit the run, or its shards.
        case checkpoint
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}

/// What is wrong with a configuration or a schedule, and what to do about it. Weights that do not fit
/// are `TorchError`s, files that cannot be read `WeightsError`s.
public struct DiffusionError: Error, CustomStringConvertible, Sendable {
    public enum Code: Sendable {
        /// Settings, or a published `config.json`, that cannot be used.
        case configuration
        /// Two noise schedules that should be one.
        case schedule
        /// A codec's file that is damaged, or of something else.
        case file
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}

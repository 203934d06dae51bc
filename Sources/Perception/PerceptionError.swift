/// A network that cannot be loaded or run.
public struct PerceptionError: Error, CustomStringConvertible, Sendable {
    public let message: String

    public init(_ message: String) { self.message = message }

    public var description: String { message }
}

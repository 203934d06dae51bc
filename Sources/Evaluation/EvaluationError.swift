/// Why a video cannot be evaluated, and what to do.
public struct EvaluationError: Error, CustomStringConvertible, Sendable {
    public let message: String

    public init(_ message: String) { self.message = message }

    public var description: String { message }
}

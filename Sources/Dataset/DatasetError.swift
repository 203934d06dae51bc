import Foundation

/// What is wrong with a dataset directory, a configuration or an output, and how to mend it.
public struct DatasetError: Error, CustomStringConvertible, Sendable {
    public enum Code: Sendable {
        /// A file that should be there is missing: an earlier stage has not run.
        case missing
        /// A file does not hold what it should.
        case malformed
        /// A configuration that cannot be understood.
        case configuration
        /// Output could not be written: disk full, no permission.
        case output
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }

    static func system(_ code: Code, _ doing: String, _ path: String) -> DatasetError {
        let reason = String(cString: strerror(errno))
        let advice = errno == ENOSPC ? "; free some space and run again: finished work is kept" : ""
        return DatasetError(code, "\(path): \(doing) failed (\(reason))\(advice)")
    }
}

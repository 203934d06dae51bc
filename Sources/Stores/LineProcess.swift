import Errors
import Foundation
import Storage

/// A process that answers lines with lines, one at a time, and lives until nobody asks any more. What it says
/// on standard error goes where ours goes.
public final class LineProcess: Sendable {
    private let process: Process
    private let input: FileHandle
    private let output: FileHandle

    /// - Parameter arguments: the program, which is looked for as a shell does, and what it is given.
    /// - Throws: `LoopyError` `.output` when it cannot be started.
    public init(_ arguments: [String]) throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        // Writing to one that has ended is an error to be handled, not this process's end.
        signal(SIGPIPE, SIG_IGN)
        do {
            try process.run()
        } catch {
            throw LoopyError(
                .output,
                "'\(arguments.first ?? "")' cannot be started (\(error.localizedDescription))")
        }
        self.input = input.fileHandleForWriting
        self.output = output.fileHandleForReading
    }

    deinit {
        try? input.close()
        process.terminate()
    }

    /// The status with which the process ended; waits for its end.
    public func exitStatus() -> Int32 {
        process.waitUntilExit()
        return process.terminationStatus
    }

    /// Sends a line and waits for the answer.
    ///
    /// - Parameter line: with its end.
    /// - Returns: the answer with its end; nil where the process has ended.
    public func ask(_ line: [UInt8]) throws -> Data? {
        guard (try? input.write(contentsOf: line)) != nil else { return nil }
        var reply = Data()
        while reply.last != UInt8(ascii: "\n") {
            let more = output.availableData
            if more.isEmpty { return nil }
            reply += more
        }
        return reply
    }
}

import Foundation
import Subprocess
import Synchronization

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// Runs one executable several times at once, as the ranks of a group. When one fails, the others are given
/// a while to end by themselves, and are killed then.
public struct ProcessLauncher: Sendable {
    /// How the first rank ended that did not succeed.
    public struct Failure: Sendable, Equatable {
        public let rank: Int
        /// The status that it exited with; nil where a signal ended it.
        public let exitStatus: Int32?
        /// What ended it, in words.
        public let reason: String
    }

    private let executable: String
    private let arguments: [String]
    private let environments: [[String: String]]
    private let running = RunningProcesses()

    /// How long the others may take to notice that a rank has failed.
    private static let grace = Duration.seconds(15)

    /// - Parameter environments: what each rank's environment has over this process's.
    public init(executable: String, arguments: [String], environments: [[String: String]]) {
        self.executable = executable
        self.arguments = arguments
        self.environments = environments
    }

    /// Runs the processes with their output where ours goes, and returns when all have ended.
    ///
    /// - Returns: nil where all succeeded.
    /// - Throws: where one cannot be started.
    public func run() async throws -> Failure? {
        try await withThrowingTaskGroup(of: (Int, TerminationStatus).self) { group in
            for rank in environments.indices {
                group.addTask { (rank, try await runProcess(rank)) }
            }
            var failure: Failure?
            var killing: Task<Void, any Error>?
            defer { killing?.cancel() }
            do {
                for try await (rank, status) in group where failure == nil {
                    failure = Self.failure(rank, status)
                    guard failure != nil else { continue }
                    killing = Task {
                        try await Task.sleep(for: Self.grace)
                        running.send(SIGKILL)
                    }
                }
            } catch {
                running.send(SIGKILL)
                throw error
            }
            return failure
        }
    }

    /// Sends a signal to all processes that run.
    public func send(_ signal: Int32) { running.send(signal) }

    private func runProcess(_ rank: Int) async throws -> TerminationStatus {
        var variables: [Environment.Key: String?] = [:]
        for (name, value) in environments[rank] {
            variables[Environment.Key(stringLiteral: name)] = value
        }
        let result = try await Subprocess.run(
            .path(FilePath(executable)), arguments: Arguments(arguments),
            environment: .inherit.updating(variables), input: .none,
            output: .fileDescriptor(.standardOutput, closeAfterSpawningProcess: false),
            error: .fileDescriptor(.standardError, closeAfterSpawningProcess: false)
        ) { execution in
            running.add(execution.processIdentifier.value)
            return execution.processIdentifier.value
        }
        running.remove(result.closureResult)
        return result.terminationStatus
    }

    private static func failure(_ rank: Int, _ status: TerminationStatus) -> Failure? {
        switch status {
        case .exited(0): return nil
        case .exited(let code):
            return Failure(rank: rank, exitStatus: code, reason: "exit status \(code)")
        case .signaled(let signal):
            let name = strsignal(signal).map { String(cString: $0) } ?? "signal \(signal)"
            return Failure(rank: rank, exitStatus: nil, reason: name)
        }
    }
}

/// The identifiers of processes that were started and have not ended.
private final class RunningProcesses: Sendable {
    private let identifiers = Mutex<Set<pid_t>>([])

    func add(_ identifier: pid_t) { identifiers.withLock { _ = $0.insert(identifier) } }
    func remove(_ identifier: pid_t) { identifiers.withLock { _ = $0.remove(identifier) } }

    func send(_ signal: Int32) {
        identifiers.withLock { for identifier in $0 { kill(identifier, signal) } }
    }
}

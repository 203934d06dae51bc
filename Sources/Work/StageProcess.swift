import Dataset
import Foundation
import Storage
import Subprocess
import Synchronization

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// How a stage's process ended.
enum ProcessEnd: Sendable, Equatable {
    case exited(Int32)
    /// It crashed, was killed, or exceeded the time limit; and the items of which one may be to blame.
    case died(String, items: [String])
}

/// Starts stage executables.
struct StageProcess: Sendable {
    /// The folder of the running executable: stages lie beside it.
    let folder: String
    let name: String
    let arguments: [String]
    /// What is said of threads; 0 for one a processor.
    var threads: Int?

    /// Seconds that a worker may take between items: it starts up, loads networks, syncs files.
    private static let startLimit = 300.0

    /// Time for a training run to save a checkpoint when it is told to stop.
    private static let stopLimit = Duration.seconds(60)

    private var executable: Executable { .path(FilePath(folder + "/" + name)) }

    private var allArguments: [String] {
        arguments + (threads.map { ["--threads", String($0)] } ?? [])
    }

    /// A process is told to stop before it is killed.
    private var stopsGently: PlatformOptions {
        var options = PlatformOptions()
        options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: Self.stopLimit)]
        return options
    }

    /// Runs the stage with its output where ours goes.
    func run(_ extra: [String] = []) async throws -> ProcessEnd {
        let result = try await Subprocess.run(
            executable, arguments: Arguments(allArguments + extra), platformOptions: stopsGently,
            input: .none,
            output: .fileDescriptor(.standardOutput, closeAfterSpawningProcess: false),
            error: .fileDescriptor(.standardError, closeAfterSpawningProcess: false))
        return try Self.end(result.terminationStatus)
    }

    /// Runs the stage and gives its output's lines.
    func lines(_ extra: [String]) async throws -> (ProcessEnd, [String]) {
        let result = try await Subprocess.run(
            executable, arguments: Arguments(allArguments + extra), input: .none,
            output: .string(limit: 256 << 20),
            error: .fileDescriptor(.standardError, closeAfterSpawningProcess: false))
        let lines = result.standardOutput.split(separator: "\n").map(String.init)
        return (try Self.end(result.terminationStatus), lines)
    }

    /// What a worker says while it builds.
    enum WorkerEvent: Sendable {
        /// What it makes units with.
        case fingerprint(String)
        case items([String])
        case unitFinished(String)

        init?(_ line: String) {
            let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
            guard words.count >= 2 else { return nil }
            switch (words[0], words.count) {
            case ("fingerprint", 2): self = .fingerprint(words[1])
            case ("item", _): self = .items(Array(words[1...]))
            case ("unit", 2): self = .unitFinished(words[1])
            default: return nil
            }
        }
    }

    /// Builds units in a process of their own, one after the other, until there are no more. The process is
    /// killed when it spends longer than `timeLimit` seconds on one item; 0 for no limit.
    ///
    /// - Parameters:
    ///   - next: the next unit; called when the one before it is finished.
    ///   - onEvent: what it throws ends the process.
    /// - Throws: what `next` and `onEvent` throw; `CancellationError`.
    func serve(
        timeLimit: Double, next: @escaping @Sendable () async throws -> UnitOrder?,
        onEvent: @escaping @Sendable (WorkerEvent) throws -> Void
    ) async throws -> ProcessEnd {
        let watch = ItemWatch()
        let result = try await Subprocess.run(
            executable, arguments: Arguments(allArguments + ["--serve"]), input: .inputWriter,
            output: .sequence,
            error: .fileDescriptor(.standardError, closeAfterSpawningProcess: false)
        ) { execution in
            let guardian = Task {
                while timeLimit > 0, !Task.isCancelled {
                    try await Task.sleep(for: .seconds(min(0.25, timeLimit / 2)))
                    if watch.isTimedOut(timeLimit, atStart: max(timeLimit, Self.startLimit)) {
                        try? execution.send(signal: .kill)
                        return
                    }
                }
            }
            defer { guardian.cancel() }
            var lines = execution.standardOutput.strings().makeAsyncIterator()
            units: while let order = try await next() {
                watch.start()
                let line = try JSONLines.line(order)
                // One that has died cannot be written to; its status says the rest.
                _ = try? await execution.standardInputWriter.write(line)
                while true {
                    guard let line = try await lines.next() else { break units }
                    guard let event = WorkerEvent(line) else { continue }
                    try onEvent(event)
                    if case .items(let items) = event { watch.set(items) }
                    if case .unitFinished = event { break }
                }
                watch.rest()
            }
            try await execution.standardInputWriter.finish()
        }
        return try Self.end(
            result.terminationStatus, items: watch.blamed, timedOut: watch.timedOut)
    }

    /// - Throws: `CancellationError` when the run, or its worker, was told to stop: that is nobody's
    ///   failure.
    private static func end(
        _ status: TerminationStatus, items: [String] = [], timedOut: Bool = false
    ) throws -> ProcessEnd {
        try Task.checkCancellation()
        switch status {
        case .exited(let code): return .exited(code)
        case .signaled(SIGINT), .signaled(SIGTERM): throw CancellationError()
        case .signaled(let signal):
            if timedOut { return .died("took longer than the time limit", items: items) }
            let name = strsignal(signal).map { String(cString: $0) } ?? "signal \(signal)"
            return .died("its worker died (\(name))", items: items)
        }
    }
}

/// What a worker is working on, and since when.
private final class ItemWatch: Sendable {
    private struct State {
        var items: [(name: String, since: ContinuousClock.Instant)] = []
        /// Since when there is no item, though there is work: the worker starts up, loads networks.
        var since: ContinuousClock.Instant?
        var isTimedOut = false
    }

    private let state = Mutex(State())

    /// A unit begins.
    func start() { state.withLock { ($0.items, $0.since) = ([], .now) } }

    func set(_ names: [String]) {
        state.withLock { state in
            state.items = names.map { name in
                state.items.first { $0.name == name } ?? (name, .now)
            }
        }
    }

    func rest() { state.withLock { ($0.items, $0.since) = ([], nil) } }

    /// The items of which the worker may have died: where it took too long, the one that did.
    var blamed: [String] { state.withLock { $0.items.map(\.name) } }
    var timedOut: Bool { state.withLock { $0.isTimedOut } }

    /// Whether an item takes longer than it may; only that one is to blame then.
    ///
    /// - Parameter startLimit: what the time before the first item may be.
    func isTimedOut(_ limit: Double, atStart startLimit: Double) -> Bool {
        func isLonger(_ since: ContinuousClock.Instant, _ limit: Double) -> Bool {
            (ContinuousClock.now - since) / .seconds(1) > limit
        }
        return state.withLock { state in
            if let late = state.items.first(where: { isLonger($0.since, limit) }) {
                state.items = [late]
                state.isTimedOut = true
            } else if state.items.isEmpty, let since = state.since {
                state.isTimedOut = isLonger(since, startLimit)
            }
            return state.isTimedOut
        }
    }
}

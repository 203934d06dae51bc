import Foundation
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
    /// It crashed, was killed, or exceeded the time limit; and the item it was working on.
    case died(String, item: String?)
}

/// Starts stage executables.
struct StageProcess: Sendable {
    /// The folder of the running executable: stages lie beside it.
    let folder: String
    let name: String
    let arguments: [String]

    /// Seconds that a worker may take between items: it starts up, loads networks, syncs files.
    private static let startLimit = 300.0

    private var executable: Executable { .path(FilePath(folder + "/" + name)) }

    /// Runs the stage with its output where ours goes.
    func run(_ extra: [String] = []) async throws -> ProcessEnd {
        let result = try await Subprocess.run(
            executable, arguments: Arguments(arguments + extra), input: .none,
            output: .fileDescriptor(.standardOutput, closeAfterSpawningProcess: false),
            error: .fileDescriptor(.standardError, closeAfterSpawningProcess: false))
        return try Self.end(result.terminationStatus)
    }

    /// Runs the stage and gives its output's lines.
    func lines(_ extra: [String]) async throws -> (ProcessEnd, [String]) {
        let result = try await Subprocess.run(
            executable, arguments: Arguments(arguments + extra), input: .none,
            output: .string(limit: 256 << 20),
            error: .fileDescriptor(.standardError, closeAfterSpawningProcess: false))
        let lines = result.standardOutput.split(separator: "\n").map(String.init)
        return (try Self.end(result.terminationStatus), lines)
    }

    /// What a worker says while it builds.
    enum WorkerEvent: Sendable {
        case item(String)
        case unitFinished(String)
    }

    /// Builds units in a process of their own, which is killed when it spends longer than
    /// `timeLimit` seconds on one item; 0 for no limit.
    func build(
        _ units: [String], skipping: [String: String], timeLimit: Double,
        onEvent: @escaping @Sendable (WorkerEvent) -> Void
    ) async throws -> ProcessEnd {
        let chosen = units.flatMap { ["--unit", $0] }
        let skips = skipping.sorted { $0.key < $1.key }.flatMap { ["--skip", "\($0)=\($1)"] }
        let watch = ItemWatch()
        let result = try await Subprocess.run(
            executable, arguments: Arguments(arguments + chosen + skips), input: .none,
            output: .sequence,
            error: .fileDescriptor(.standardError, closeAfterSpawningProcess: false)
        ) { execution in
            let guardian = Task {
                while timeLimit > 0, !Task.isCancelled {
                    try await Task.sleep(for: .seconds(min(0.25, timeLimit / 2)))
                    if watch.secondsOnItem()
                        > (watch.item == nil ? max(timeLimit, Self.startLimit) : timeLimit)
                    {
                        watch.setTimedOut()
                        try? execution.send(signal: .kill)
                        return
                    }
                }
            }
            defer { guardian.cancel() }
            for try await line in execution.standardOutput.strings() {
                let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
                guard words.count == 2 else { continue }
                watch.start(words[0] == "item" ? words[1] : nil)
                onEvent(words[0] == "item" ? .item(words[1]) : .unitFinished(words[1]))
            }
        }
        return try Self.end(
            result.terminationStatus, item: watch.item, timedOut: watch.timedOut)
    }

    /// - Throws: `CancellationError` when the run, or its worker, was told to stop: that is nobody's
    ///   failure.
    private static func end(
        _ status: TerminationStatus, item: String? = nil, timedOut: Bool = false
    ) throws -> ProcessEnd {
        try Task.checkCancellation()
        switch status {
        case .exited(let code): return .exited(code)
        case .signaled(SIGINT), .signaled(SIGTERM): throw CancellationError()
        case .signaled(let signal):
            if timedOut { return .died("took longer than the time limit", item: item) }
            let name = strsignal(signal).map { String(cString: $0) } ?? "signal \(signal)"
            return .died("its worker died (\(name))", item: item)
        }
    }
}

/// What a worker is working on, and since when.
private final class ItemWatch: Sendable {
    private struct State {
        var item: String?
        var since = ContinuousClock.now
        var isTimedOut = false
    }

    private let state = Mutex(State())

    func start(_ item: String?) {
        state.withLock { ($0.item, $0.since) = (item, .now) }
    }

    func setTimedOut() { state.withLock { $0.isTimedOut = true } }

    var item: String? { state.withLock { $0.item } }
    var timedOut: Bool { state.withLock { $0.isTimedOut } }

    func secondsOnItem() -> Double {
        let elapsed = ContinuousClock.now - state.withLock { $0.since }
        return Double(elapsed.components.seconds)
            + Double(elapsed.components.attoseconds) / 1e18
    }
}

import ArgumentParser
import Errors
import Foundation
import Runs
import StageCommand
import Torch
import Work

/// Starts ranks of this machine with this process's arguments, and returns when all have ended. Ctrl-C and
/// SIGTERM go on to them.
///
/// - Throws: `LoopyError` where a rank died; `ExitCode` where one failed, which has said why.
func launchRanks(_ size: Int) throws {
    let store = try TCPStore(isServer: true)
    let launcher = ProcessLauncher(
        executable: URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path,
        arguments: withoutProcesses(CommandLine.recordedArguments),
        environments: (0..<size).map {
            LaunchEnvironment.variables(
                rank: $0, size: size, port: store.port, launcher: Int(getpid()))
        })
    let sources = [SIGINT, SIGTERM].map { number in
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
        source.setEventHandler { launcher.send(number) }
        source.resume()
        return source
    }
    defer { for source in sources { source.cancel() } }
    // The store serves as long as ranks run.
    let failure = try withExtendedLifetime(store) { try waiting { try await launcher.run() } }
    guard let failure else { return }
    if let status = failure.exitStatus { throw ExitCode(status) }
    throw LoopyError(
        .processing,
        "rank \(failure.rank) of \(size) died (\(failure.reason)), which ends the run; --resume goes on "
            + "from the last checkpoint, with any number of processes")
}

/// Ends this process because another rank gives no sign of life: whoever waits for it waits in libtorch.
@Sendable func endOverSilence(_ who: String) {
    say(
        "error: \(who) gives no sign of life: its machine, or the network, is down. Go on from the last "
            + "checkpoint with --resume")
    _exit(LoopyError.Category.processing.exitStatus)
}

/// The command line without `--processes N`, which ranks are not to obey.
func withoutProcesses(_ arguments: [String]) -> [String] {
    var kept: [String] = []
    var isCount = false
    for argument in arguments {
        if isCount {
            isCount = false
        } else if argument == "--processes" {
            isCount = true
        } else if !argument.hasPrefix("--processes=") {
            kept.append(argument)
        }
    }
    return kept
}

/// Waits for what runs on other threads: training itself is synchronous.
private func waiting<Result: Sendable>(
    for body: @escaping @Sendable () async throws -> Result
) throws -> Result {
    let outcome = Outcome<Result>()
    Task {
        do { outcome.value = .success(try await body()) } catch { outcome.value = .failure(error) }
        outcome.done.signal()
    }
    outcome.done.wait()
    return try outcome.value!.get()  // set before the signal
}

private final class Outcome<Value: Sendable>: @unchecked Sendable {
    // Unchecked: the value is written before `done` is signalled, and read after it was waited for.
    var value: Result<Value, any Error>?
    let done = DispatchSemaphore(value: 0)
}

extension LaunchEnvironment {
    /// Whether the process that launched this one is gone, so that nobody would end it.
    var isOrphan: Bool { launcher.map { Int(getppid()) != $0 } ?? false }
}

extension TrainingSettings {
    /// The settings of a rank: `device: cuda` is the GPU of its number on the machine.
    func on(_ launch: LaunchEnvironment) throws(LoopyError) -> TrainingSettings {
        guard launch.localSize > 1, device.hasPrefix("cuda") else { return self }
        guard device == "cuda" else {
            throw LoopyError(
                .configuration,
                "device: \(device) would be that of all \(launch.localSize) processes of this machine; "
                    + "write cuda, and each takes one")
        }
        var settings = self
        settings.device = "cuda:\(launch.localRank)"
        return settings
    }
}

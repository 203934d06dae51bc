import Errors
import Foundation
import Storage
import Synchronization
import TestSupport
import Testing
import Work

/// `PipelineRun` with a script in a stage's place. The script logs every call as a line of `calls`.
@Suite struct PipelineRunTests {
    /// - Parameters:
    ///   - worker: what the script does for each of its `$units`; `$skips` holds the items to skip.
    ///   - finish: the status with which it ends when it is called without units.
    private func run(
        in folder: String, worker: String, finish: Int = 0, workers: Int = 1,
        timeLimit: Double = 60,
        units: String = "00000 00001 00002"
    ) async throws -> (succeeded: Bool, events: [String]) {
        let script = """
            #!/bin/bash
            echo "$*" >> '\(folder)/calls'
            serve=
            for argument; do
                case $argument in
                    --prepare) exit 0 ;;
                    --pending)
                        for unit in \(units); do
                            grep -qsx "$unit" '\(folder)/built' || echo "$unit"
                        done
                        exit 0 ;;
                    --serve) serve=yes ;;
                esac
            done
            [[ $serve ]] || exit \(finish)
            echo "fingerprint 00"
            while read -r skips; do
                echo "$skips" >> '\(folder)/orders'
                unit=${skips#*'"unit":"'}
                unit=${unit%%'"'*}
                echo "item $unit-a"
                \(worker)
                echo "$unit" >> '\(folder)/built'
                echo "unit $unit"
            done
            """
        try write(script, to: folder + "/loopy-measure")
        chmod(folder + "/loopy-measure", 0o755)
        try write("measure:\n", to: folder + "/pipeline.yaml")
        var settings = RunSettings()
        (settings.workers, settings.timeLimit) = (workers, timeLimit)
        let pipeline = PipelineRun(
            folder: folder, place: DatasetPlace(folder: folder + "/dataset"),
            file: folder + "/pipeline.yaml",
            overrides: [], inputs: [], runs: folder + "/runs", settings: settings)
        let events = EventLog()
        let outcome = try await pipeline.run { events.add($0) }
        return (outcome == .complete(allSucceeded: true), events.lines)
    }

    private func lines(_ path: String) -> [String] {
        (try? String(contentsOfFile: path, encoding: .utf8))?
            .split(separator: "\n").map(String.init) ?? []
    }

    @Test func everyUnitIsBuiltOnceAndThenTheStageFinishes() async throws {
        let folder = try TemporaryFolder()
        let result = try await run(in: folder.path, worker: "", workers: 2)
        #expect(result.succeeded)
        #expect(lines(folder.path + "/built").sorted() == ["00000", "00001", "00002"])
        #expect(result.events.first == "began measure: 3 units")
        #expect(result.events.last == "ended measure")
        #expect(result.events.count { $0 == "unit finished" } == 3)
        #expect(lines(folder.path + "/calls").last?.hasSuffix("--finish") == true)
    }

    @Test func anItemThatKillsItsWorkerTwiceIsSkippedWithTheReason() async throws {
        let folder = try TemporaryFolder()
        let result = try await run(
            in: folder.path,
            worker: """
                [[ $unit != 00001 || $skips == *00001-a* ]] || kill -SEGV $$
                """, finish: 1)
        // The stage has recorded the item: the run goes on and says that something failed.
        #expect(!result.succeeded)
        #expect(Set(lines(folder.path + "/built")) == ["00000", "00001", "00002"])
        let deaths = result.events.filter { $0.hasPrefix("died") }
        #expect(
            deaths
                == Array(
                    repeating: "died measure 00001-a: its worker died (Segmentation fault)",
                    count: 2))
        let skips = lines(folder.path + "/orders").filter { !$0.contains(#""skip":{}"#) }
        #expect(
            skips == [
                #"{"alone":false,"skip":{"00001-a":"its worker died (Segmentation fault), twice"},"#
                    + #""unit":"00001"}"#
            ])
    }

    /// One of two items in hand kills its worker. They are worked on one by one to find out which it is.
    @Test func ofSeveralItemsInHandNoneIsBlamedBeforeItIsWorkedOnAlone() async throws {
        let folder = try TemporaryFolder()
        let result = try await run(
            in: folder.path,
            worker: """
                if [[ $unit == 00001 && $skips != *00001-b* ]]; then
                    [[ $skips == *'"alone":true'* ]] && echo "item 00001-b" || echo "item 00001-a 00001-b"
                    kill -SEGV $$
                fi
                """, finish: 1)
        #expect(!result.succeeded)
        #expect(Set(lines(folder.path + "/built")) == ["00000", "00001", "00002"])
        let deaths = result.events.filter { $0.hasPrefix("died") }
        #expect(
            deaths.map { $0.prefix { $0 != ":" } } == [
                "died measure 00001-a 00001-b", "died measure 00001-b", "died measure 00001-b",
            ])
        let orders = lines(folder.path + "/orders").filter { $0.contains("00001-b") }
        #expect(orders.count == 1)
        #expect(orders[0].contains(#""skip":{"00001-b":"#))
    }

    @Test func ofSeveralItemsInHandTheOneThatTakesTooLongIsBlamed() async throws {
        let folder = try TemporaryFolder()
        let result = try await run(
            in: folder.path,
            worker: """
                if [[ $unit == 00000 && $skips != *00000-a* ]]; then
                    for other in b c d e f g; do echo "item 00000-a 00000-$other"; sleep 0.2; done
                    exec sleep 600
                fi
                """, finish: 1, timeLimit: 0.6)
        #expect(!result.succeeded)
        let deaths = result.events.filter { $0.hasPrefix("died") }
        #expect(
            deaths
                == Array(
                    repeating: "died measure 00000-a: took longer than the time limit", count: 2))
    }

    @Test func whereNothingIsSetWorkersShareTheProcessors() {
        var settings = RunSettings()
        let processors = Processors.available
        let usual = settings.shares(units: 10_000, device: "cpu")
        #expect((1...processors).contains(usual.workers))
        #expect(usual.threads == processors / usual.workers)
        #expect(settings.shares(units: 1, device: "cpu") == (1, processors))
        #expect(settings.shares(units: 0, device: "cpu") == (1, processors))
        #expect(settings.shares(units: 10_000, device: "cuda:0") == (1, processors))
        (settings.workers, settings.threads) = (3, 5)
        #expect(settings.shares(units: 10_000, device: "cuda:0") == (3, 5))
        #expect(settings.shares(units: 2, device: "cpu") == (2, 5))
    }

    @Test func anItemThatTakesTooLongIsSkippedAndItsWorkerEnded() async throws {
        let folder = try TemporaryFolder()
        let result = try await run(
            in: folder.path,
            worker: """
                if [[ $unit == 00000 && $skips != *00000-a* ]]; then
                    echo $$ >> '\(folder.path)/slow'
                    exec sleep 600
                fi
                """, finish: 1, timeLimit: 0.3)
        #expect(!result.succeeded)
        #expect(
            result.events.contains("died measure 00000-a: took longer than the time limit"))
        let slow = lines(folder.path + "/slow").compactMap { Int32($0) }
        #expect(slow.count == 2)
        for process in slow { #expect(kill(process, 0) == -1, "the worker is gone") }
    }

    @Test func aStageThatDiesBeforeItsFirstUnitEndsTheRun() async throws {
        let folder = try TemporaryFolder()
        try await withError(.processing, "its worker died") {
            _ = try await run(in: folder.path, worker: "", units: "$(kill -KILL $$) 0")
        }
    }

    @Test(arguments: [(64, LoopyError.Category.configuration), (65, .missing), (74, .output)])
    func aStageThatCannotGoOnEndsTheRunWithItsStatus(
        status: Int, category: LoopyError.Category
    ) async throws {
        let folder = try TemporaryFolder()
        try await withError(category, "run again to go on") {
            _ = try await run(in: folder.path, worker: "exit \(status)")
        }
    }

    @Test func aRunThatIsCancelledEndsItsWorkers() async throws {
        let folder = try TemporaryFolder()
        let task = Task {
            try await run(
                in: folder.path,
                worker: "echo $$ >> '\(folder.path)/slow'; exec sleep 600")
        }
        while lines(folder.path + "/slow").isEmpty { try await Task.sleep(for: .milliseconds(20)) }
        task.cancel()
        await #expect(throws: CancellationError.self) { _ = try await task.value }
        let worker = try #require(lines(folder.path + "/slow").first.flatMap { Int32($0) })
        #expect(kill(worker, 0) == -1, "the worker is gone")
        #expect(lines(folder.path + "/built").isEmpty)
    }

    @Test func anUnknownStageIsNamedWithTheNearestKnownOne() async throws {
        let folder = try TemporaryFolder()
        try write("mesure:\n", to: folder.path + "/pipeline.yaml")
        let pipeline = PipelineRun(
            folder: folder.path, place: DatasetPlace(folder: folder.path),
            file: folder.path + "/pipeline.yaml",
            overrides: [], inputs: [], runs: folder.path, settings: RunSettings())
        try await withError(.configuration, "measure") { _ = try await pipeline.run { _ in } }
    }

    private func withError(
        _ category: LoopyError.Category, _ part: String, _ body: () async throws -> Void
    ) async throws {
        let error = await #expect(throws: LoopyError.self) { try await body() }
        #expect(error?.category == category)
        #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
    }
}

/// A folder that goes with the object.
final class TemporaryFolder: Sendable {
    let path = NSTemporaryDirectory() + "loopy-work-" + UUID().uuidString

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// What a person would see of a run.
private final class EventLog: Sendable {
    private let log = Mutex<[String]>([])

    var lines: [String] { log.withLock { $0 } }

    func add(_ event: PipelineRun.Event) {
        let line =
            switch event {
            case .stageBegan(let stage, let units): "began \(stage): \(units) units"
            case .unitFinished: "unit finished"
            case .inHand(let items): "items \(items.joined(separator: " "))"
            case .workerDied(let stage, let items, let reason):
                "died \(stage) \(items.isEmpty ? "at its start" : items.joined(separator: " ")): \(reason)"
            case .stageEnded(let stage): "ended \(stage)"
            }
        log.withLock { $0.append(line) }
    }
}

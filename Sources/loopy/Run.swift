import ArgumentParser
import Dataset
import Errors
import Foundation
import Settings
import SettingsList
import StageCommand
import Storage
import Synchronization
import Work

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the stages of a pipeline file, in order, and train on what they made.",
        discussion: """
            Finished work is kept: run the same command again after a crash, a kill or a change of \
            settings, and only what is missing or depends on the change is done. Exit status 0: all \
            is done; 1: some items failed and are in failures.jsonl.
            """)

    @Argument(help: ArgumentHelp("The pipeline file (YAML).", valueName: "pipeline"))
    var file: String

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Video files, and folders of them.", valueName: "path"))
    var input: [String] = []

    @Option(
        help: ArgumentHelp("The dataset directory; made where it is missing.", valueName: "dir"))
    var dataset: String

    @Option(
        help: ArgumentHelp(
            "Where run.train puts its training runs; DATASET/runs when left out.", valueName: "dir")
    )
    var runs: String?

    @Option(help: "Worker processes at a time; the pipeline file's run.workers else.")
    var workers: Int?

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp(
            "One setting, over the file's: stage.key=value. May be repeated.",
            valueName: "setting"))
    var settings: [String] = []

    @Flag(help: "Try again what failed in earlier runs: after a disk was mounted, say.")
    var retryFailed = false

    func run() async throws {
        do {
            try SettingsSection.check(file, overrides: settings)
            var runSettings = try Configuration.read(
                RunSettings(), section: ["run"], file: file, overrides: settings)
            if let workers { runSettings.workers = workers }
            try runSettings.validate(as: "run")
            if retryFailed { try DatasetDirectory(dataset).forgetFailedUnits() }
            if try Configuration.stages(of: file).contains(["ingest"]), input.isEmpty {
                throw LoopyError(
                    .configuration, "\(file) begins with ingest: name the videos with --input")
            }
            let pipeline = PipelineRun(
                folder: Loopy.folder, dataset: dataset, file: file, overrides: settings,
                inputs: input, runs: runs ?? dataset + "/runs", settings: runSettings)
            let board = ProgressBoard()
            let directory = DatasetDirectory(dataset)
            let succeeded = try await cancellingOnSignals {
                try await pipeline.run(isNeeded: directory.hasWork) { board.show($0) }
            }
            print(try Funnel(DatasetDirectory(dataset)).text)
            if !succeeded { throw StageExit.someFailed }
        } catch is CancellationError {
            say("interrupted; run again to go on from here")
            throw ExitCode(130)
        } catch {
            try reporting { throw error }
        }
    }

    /// Ctrl-C and SIGTERM end the workers too.
    private func cancellingOnSignals(
        _ body: @escaping @Sendable () async throws -> Bool
    ) async throws -> Bool {
        let task = Task { try await body() }
        let sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler { task.cancel() }
            source.resume()
            return source
        }
        defer { for source in sources { source.cancel() } }
        return try await task.value
    }
}

extension DatasetDirectory {
    /// Whether a stage has something to do. Where no clip was cut, there are no features, and nothing to
    /// train on; where none was accepted, shards of former clips go all the same.
    fileprivate func hasWork(for stage: String) throws -> Bool {
        guard ["extract", "pack", "train"].contains(stage),
            FileManager.default.fileExists(atPath: selectionFile)
        else { return true }
        let catalogue = try Catalogue.read(self)
        if catalogue.counts.accepted == 0 { return stage == "pack" }
        guard let folder = catalogue.columns["video"]?.folder else { return true }
        let names = try FileManager.default.contentsOfDirectory(atPath: path + "/" + folder)
        return try names.contains { name in
            guard name.hasSuffix(".json") else { return false }
            let record = path + "/" + folder + "/" + name
            return try !JSONLines.readDocument(UnitRecord.self, from: record).items.isEmpty
        }
    }
}

/// Shows one stage's progress after the other.
private final class ProgressBoard: Sendable {
    private let line = Mutex<ProgressLine?>(nil)

    func show(_ event: PipelineRun.Event) {
        line.withLock { progress in
            switch event {
            case .stageBegan(let name, let units):
                progress = units > 0 ? ProgressLine(name, total: units) : nil
            case .unitFinished: progress?.advance()
            case .itemBegan(let item): progress?.note(item)
            case .workerDied(let stage, let item, let reason):
                say("\(stage): \(item ?? "at its start"): \(reason); trying again")
            case .stageEnded: progress = nil
            }
            if case .unitFinished = event, progress?.isComplete == true { progress?.end() }
        }
    }
}

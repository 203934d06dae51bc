import ArgumentParser
import Curation
import Dataset
import Errors
import Foundation
import Settings
import SettingsList
import StageCommand
import Storage
import Stores
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

    @OptionGroup var pipeline: PipelineOptions

    @Option(
        help: ArgumentHelp(
            "Where run.train puts its training runs; DATASET/runs when left out.", valueName: "dir")
    )
    var runs: String?

    @Flag(help: "Try again what failed in earlier runs: after a disk was mounted, say.")
    var retryFailed = false

    func run() async throws {
        try await interruptibly {
            let settings = try pipeline.readSettings()
            guard settings.train.isEmpty || !ObjectStore.isAddress(pipeline.dataset) else {
                throw LoopyError(
                    .configuration,
                    "run.train needs a dataset in a folder, and \(pipeline.dataset) is in an object "
                        + "store: curate with 'loopy work', copy the shards, and train with 'loopy-train'"
                )
            }
            let place = try pipeline.place(settings)
            defer { place.close() }
            let directory = place.directory
            if retryFailed {
                try directory.forgetFailedUnits()
                try place.push()
            }
            if try Configuration.stages(of: pipeline.file).contains(["ingest"]),
                pipeline.input.isEmpty
            {
                throw LoopyError(
                    .configuration,
                    "\(pipeline.file) begins with ingest: name the videos with --input")
            }
            let run = pipeline.run(place, settings, runs: runs)
            let board = ProgressBoard()
            let outcome = try await cancellingOnSignals {
                try await run.run(isNeeded: directory.hasWork) { board.show($0) }
            }
            SourceCopies.shared.removeAll()
            print(try Funnel(directory).text)
            if outcome != .complete(allSucceeded: true) { throw StageExit.someFailed }
        }
    }
}

struct Work: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Do a part of a pipeline's stages, beside others that do the same.",
        discussion: """
            Start it any number of times, on any machines that share the dataset's folder: each takes what \
            nobody works on, until nothing is left; when one is lost, others take over what it was at. What \
            comes of it is the same as of 'loopy run', which does the same with workers on one machine, \
            and then trains. docs/clusters.md has launchers for Slurm, Ray, Kubernetes and ssh.

            Exit status 0: nothing is left, or all that --once asked for is done; items that failed are in \
            failures.jsonl. 64: a setting cannot be used; 65: the dataset, or another machine's version \
            of Loopy, does not fit; 74: output cannot be written.
            """)

    @OptionGroup var pipeline: PipelineOptions

    @Option(
        help: ArgumentHelp(
            "Work on this stage only, such as measure, crop or extract-motion, whose inputs are there.",
            valueName: "stage"))
    var stage: String?

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "Build this unit of the stage only, as 'loopy-STAGE --pending' names it, and do not finish the "
                + "stage. May be repeated.", valueName: "name"))
    var unit: [String] = []

    @Flag(
        help: """
            Build one unit, or wait until others have built the last, and end. The last line printed is \
            'more STAGE' or 'complete'.
            """)
    var once = false

    func validate() throws {
        if !unit.isEmpty, stage == nil {
            throw ValidationError("--unit: name its stage with --stage")
        }
    }

    func run() async throws {
        try await interruptibly {
            let settings = try pipeline.readSettings()
            let place = try pipeline.place(settings)
            defer { place.close() }
            let directory = place.directory
            if try Configuration.stages(of: pipeline.file).contains(["ingest"]),
                pipeline.input.isEmpty,
                !FileManager.default.fileExists(atPath: directory.sourcesFile)
            {
                throw LoopyError(
                    .missing,
                    "\(directory.sourcesFile) is not there yet: name the videos with --input")
            }
            let run = pipeline.run(place, settings)
            let board = ProgressBoard()
            let outcome = try await cancellingOnSignals { [stage, unit, once] in
                try await run.work(
                    only: stage, chosen: unit, units: once ? 1 : .max,
                    isNeeded: directory.hasWork
                ) { board.show($0) }
            }
            switch outcome {
            case .more(let stage): print("more \(stage)")
            case .complete:
                SourceCopies.shared.removeAll()
                print("complete")
            }
        }
    }
}

/// What `run` and `work` take.
struct PipelineOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("The pipeline file (YAML).", valueName: "pipeline"))
    var file: String

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Video files, and folders of them; also in an object store, such as s3://bucket/videos.",
            valueName: "path"))
    var input: [String] = []

    @Option(
        help: ArgumentHelp(
            "The dataset directory, made where it is missing; or a place in an object store, such as "
                + "s3://bucket/dataset.", valueName: "dir"))
    var dataset: String

    @Option(help: "Worker processes at a time; the pipeline file's run.workers else.")
    var workers: Int?

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp(
            "One setting, over the file's: stage.key=value. May be repeated.",
            valueName: "setting"))
    var settings: [String] = []

    /// The section `run`.
    ///
    /// - Throws: `LoopyError` `.configuration` for settings that cannot be used.
    func readSettings() throws -> RunSettings {
        let measured = try Catalogue.read(DatasetDirectory(dataset)).measurements
        try SettingsSection.check(
            file, overrides: settings, measured: measured?.metricsOfNetworks ?? [])
        var runSettings = try Configuration.read(
            RunSettings(), section: ["run"], file: file, overrides: settings)
        if let workers { runSettings.workers = workers }
        try runSettings.validate(as: "run")
        return runSettings
    }

    /// Where the dataset is. From here on sources in object stores are copied as the settings say.
    func place(_ settings: RunSettings) throws -> DatasetPlace {
        settings.export()
        return try DatasetPlace(
            dataset, scratch: SourceCopies.scratch, gigabytes: settings.scratchGigabytes)
    }

    func run(_ place: DatasetPlace, _ settings: RunSettings, runs: String? = nil) -> PipelineRun {
        PipelineRun(
            folder: Loopy.folder, place: place, file: file, overrides: self.settings, inputs: input,
            runs: runs ?? place.directory.path + "/runs", settings: settings)
    }
}

extension RunSettings {
    /// Tells this process and those that it starts how sources in object stores are copied.
    func export() {
        if !fetch.isEmpty { setenv("LOOPY_FETCH", fetch, 1) }
        if !scratch.isEmpty { setenv("LOOPY_SCRATCH", scratch, 1) }
        setenv("LOOPY_SCRATCH_GIGABYTES", String(scratchGigabytes), 1)
    }
}

/// Runs a command's body as `reporting` does; a stop that was asked for is no error.
func interruptibly(_ body: () async throws -> Void) async throws {
    // A worker that has died cannot be written to, which is not this process's end.
    signal(SIGPIPE, SIG_IGN)
    do {
        try await body()
    } catch is CancellationError {
        say("interrupted; run again to go on from here")
        throw ExitCode(130)
    } catch {
        try reporting { throw error }
    }
}

/// Runs `body`; Ctrl-C and SIGTERM cancel it, and so end the workers too.
func cancellingOnSignals<Result: Sendable>(
    _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
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

extension DatasetDirectory {
    /// Whether a stage has something to do. Where no clip was cut, there are no features, and nothing to
    /// train on; where none was accepted, shards of former clips go all the same.
    func hasWork(for stage: String) throws -> Bool {
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
final class ProgressBoard: Sendable {
    private let line = Mutex<ProgressLine?>(nil)

    func show(_ event: PipelineRun.Event) {
        line.withLock { progress in
            switch event {
            case .stageBegan(let name, let units):
                progress = units > 0 ? ProgressLine(name, total: units) : nil
            case .unitFinished: progress?.advance()
            case .inHand(let items): progress?.note(items.joined(separator: " "))
            case .workerDied(let stage, let items, let reason):
                let what = items.isEmpty ? "at its start" : items.joined(separator: " or ")
                say("\(stage): \(what): \(reason); trying again")
            case .stageEnded: progress = nil
            }
            if case .unitFinished = event, progress?.isComplete == true { progress?.end() }
        }
    }
}

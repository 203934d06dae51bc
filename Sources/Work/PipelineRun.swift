import Dataset
import Errors
import Foundation
import Settings

/// Runs the stages of a pipeline file in order, as child processes, alone or beside others that do the same
/// on the same dataset.
///
/// A stage's units go to workers, a process each, so that a codec that crashes takes one worker with it
/// and not the run. A worker that dies or hangs is started anew; the item that it dies of twice is
/// recorded as failed, and the unit is done without it.
public struct PipelineRun: Sendable {
    /// What a person watches.
    public enum Event: Sendable {
        case stageBegan(String, units: Int)
        case unitFinished
        /// What a worker is working on.
        case inHand([String])
        case workerDied(stage: String, items: [String], reason: String)
        case stageEnded(String)
    }

    private let folder: String
    private let place: DatasetPlace
    private let file: String
    private let overrides: [String]
    private let inputs: [String]
    private let runs: String
    private let settings: RunSettings

    private static let someFailed: Int32 = 1

    /// - Parameters:
    ///   - folder: where the stage executables are.
    ///   - inputs: what `ingest` is to read.
    ///   - runs: the folder of the training runs.
    public init(
        folder: String, place: DatasetPlace, file: String, overrides: [String], inputs: [String],
        runs: String, settings: RunSettings
    ) {
        self.folder = folder
        self.place = place
        self.file = file
        self.overrides = overrides
        self.inputs = inputs
        self.runs = runs
        self.settings = settings
    }

    /// How far a run came.
    public enum Outcome: Sendable, Equatable {
        /// All is done; whether every item succeeded in what was done here.
        case complete(allSucceeded: Bool)
        /// As much as was asked for is done, of the stage that is named; there is more to do.
        case more(stage: String)
    }

    /// Runs the stages, and the training.
    ///
    /// - Parameter isNeeded: asked before each stage, by its name in a pipeline file, and before "train": a
    ///   stage that has nothing to do is skipped.
    /// - Throws: `LoopyError` when a stage cannot go on at all, or the pipeline file cannot be understood.
    public func run(
        isNeeded: @Sendable (String) throws -> Bool = { _ in true },
        _ onEvent: @escaping @Sendable (Event) -> Void
    ) async throws -> Outcome {
        let outcome = try await work(isNeeded: isNeeded, onEvent)
        if try isNeeded("train") {
            let runs = try await train(onEvent)
            try await checkHeldOut(runs, onEvent)
        }
        return outcome
    }

    /// Runs the stages. What another worker does is waited for, and not done again.
    ///
    /// - Parameters:
    ///   - only: the one stage to run, as its words in a pipeline file joined by "-".
    ///   - chosen: the units of that stage that are to be built; all when empty.
    ///   - units: how many units are built at most.
    public func work(
        only: String? = nil, chosen: [String] = [], units: Int = .max,
        isNeeded: @Sendable (String) throws -> Bool = { _ in true },
        _ onEvent: @escaping @Sendable (Event) -> Void
    ) async throws -> Outcome {
        let work = try StageWork(place, settings)
        return try await work.keepingAlive {
            var allSucceeded = true
            var left = units
            for stage in try stages(only) where try isNeeded(stage[0]) {
                let process = process(for: stage)
                let name = stage.joined(separator: " "), file = stage.joined(separator: "-")
                let hasUnits = Section(rawValue: stage[0])?.stage == .units
                if hasUnits {
                    let device = try Configuration.values(
                        of: "device", section: stage, file: self.file, overrides: overrides
                    ).first { $0 != "cpu" }
                    let result = try await work.build(
                        file, process, device: device ?? "cpu", only: chosen, most: left, onEvent)
                    left -= result.built
                    guard result.isComplete else { return .more(stage: name) }
                } else {
                    onEvent(.stageBegan(name, units: 0))
                }
                try await work.once(file, hasUnits ? "finish" : "run") {
                    switch try await process.run(hasUnits ? ["--finish"] : []) {
                    case .exited(0): break
                    case .exited(Self.someFailed): allSucceeded = false
                    case let end: throw Self.error(name, end)
                    }
                }
                onEvent(.stageEnded(name))
            }
            return .complete(allSucceeded: allSucceeded)
        }
    }

    private var dataset: String { place.directory.path }

    /// The stages of the pipeline file, as words; without ingest where it names no input and the sources
    /// are listed already.
    private func stages(_ only: String?) throws -> [[String]] {
        let stages = try Configuration.stages(of: file).filter { stage in
            guard let section = Section(rawValue: stage[0]) else {
                throw LoopyError(
                    .configuration,
                    "\(file): unknown stage '\(stage[0])'"
                        + Configuration.suggest(stage[0], Section.names))
            }
            return section.stage != nil && !(stage == ["ingest"] && inputs.isEmpty)
        }
        guard let only else { return stages }
        let names = stages.map { $0.joined(separator: "-") }
        guard let index = names.firstIndex(of: only) else {
            throw LoopyError(
                .configuration,
                "\(file) has no stage '\(only)'" + Configuration.suggest(only, names))
        }
        return [stages[index]]
    }

    /// Runs the training files: each goes on where it stands, and a finished one does nothing. A run whose
    /// features have changed is begun anew.
    ///
    /// - Returns: the runs' folders.
    private func train(_ onEvent: @Sendable (Event) -> Void) async throws -> [String] {
        var trained: [String] = []
        for name in settings.train {
            let own = URL(fileURLWithPath: file).deletingLastPathComponent()
            let path = name.hasPrefix("/") ? name : own.appendingPathComponent(name).path
            let stem = ((name as NSString).lastPathComponent as NSString).deletingPathExtension
            let run = runs + "/" + stem
            var arguments = [path, "--shards", dataset + "/shards", "--output", run]
            arguments += ["--resume", "--renew", "--threads", String(settings.threads)]
            // A batch may have no equal shares for as many processes as there are workers.
            arguments += ["--processes", settings.workers == 0 ? "0" : "1"]
            arguments += overrides.flatMap { ["--set", $0] }
            if let former = trained.last { arguments += ["--first-stage", former] }
            try await runWhole(stem, "loopy-train", arguments, onEvent)
            trained.append(run)
        }
        return trained
    }

    /// Has the last run's model make held-out clips again, measures how near they come, and writes a page
    /// of the dataset, the runs and these videos.
    private func checkHeldOut(
        _ runs: [String], _ onEvent: @Sendable (Event) -> Void
    ) async throws {
        guard settings.heldOutSeconds > 0, let run = runs.last else { return }
        let made = dataset + "/held-out"
        let shared =
            ["--config", file, "--threads", String(settings.threads)]
            + overrides.flatMap { ["--set", $0] }
        try await runWhole(
            "held-out clips", "loopy-generate",
            [
                "--run", run, "--held-out", dataset, "--seconds", String(settings.heldOutSeconds),
                "--output", made, "--resume",
            ] + shared, onEvent)
        try await runWhole(
            "evaluate", "loopy-evaluate",
            [
                "metrics", "--generated", made + "/generated", "--reference", made + "/true",
                "--output", made + "/metrics.json",
            ] + shared, onEvent)
        let shown = try Self.videos(in: made + "/generated", most: 3)
        try await runWhole(
            "page", "loopy",
            [
                "page", dataset, "--output", dataset + "/index.html", "--metrics",
                made + "/metrics.json",
            ] + runs.flatMap { ["--run", $0] } + shown.flatMap { ["--generated", $0] }, onEvent)
    }

    /// Runs an executable that does all its work in one process.
    private func runWhole(
        _ event: String, _ name: String, _ arguments: [String], _ onEvent: @Sendable (Event) -> Void
    ) async throws {
        onEvent(.stageBegan(event, units: 0))
        let end = try await StageProcess(folder: folder, name: name, arguments: arguments).run()
        guard end == .exited(0) else { throw Self.error(event, end) }
        onEvent(.stageEnded(event))
    }

    private static func videos(in folder: String, most: Int) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".mp4") }
            .sorted().prefix(most).map { folder + "/" + $0 }
    }

    private func process(for stage: [String]) -> StageProcess {
        var arguments = Array(stage.dropFirst())
        if stage == ["ingest"] { arguments += inputs }
        arguments += ["--dataset", dataset, "--config", file]
        arguments += overrides.flatMap { ["--set", $0] }
        return StageProcess(
            folder: folder, name: "loopy-" + stage[0], arguments: arguments,
            threads: settings.threads)
    }

    static func error(_ what: String, _ end: ProcessEnd) -> LoopyError {
        switch end {
        case .exited(let status):
            LoopyError(
                .init(exitStatus: status),
                "\(what) stopped (see above); run again to go on from here")
        case .died(let reason, _):
            LoopyError(.processing, "\(what): \(reason)")
        }
    }
}

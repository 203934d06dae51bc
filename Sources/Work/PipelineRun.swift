import Errors
import Foundation
import Settings

/// Runs the stages of a pipeline file in order, as child processes.
///
/// A stage's units go to workers, one process a unit, so that a codec that crashes takes one worker
/// with it and not the run. A worker that dies or hangs is tried once more; the item that it dies of
/// twice is recorded as failed, and the unit is done without it.
public struct PipelineRun: Sendable {
    /// What a person watches.
    public enum Event: Sendable {
        case stageBegan(String, units: Int)
        case unitFinished
        case itemBegan(String)
        case workerDied(stage: String, item: String?, reason: String)
        case stageEnded(String)
    }

    private let folder: String
    private let dataset: String
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
        folder: String, dataset: String, file: String, overrides: [String], inputs: [String],
        runs: String, settings: RunSettings
    ) {
        self.folder = folder
        self.dataset = dataset
        self.file = file
        self.overrides = overrides
        self.inputs = inputs
        self.runs = runs
        self.settings = settings
    }

    /// - Parameter isNeeded: asked before each stage, by its name in a pipeline file, and before "train": a
    ///   stage that has nothing to do is skipped.
    /// - Returns: true when every item of every stage succeeded.
    /// - Throws: `LoopyError` when a stage cannot go on at all, or the pipeline file cannot be understood.
    public func run(
        isNeeded: @Sendable (String) throws -> Bool = { _ in true },
        _ onEvent: @escaping @Sendable (Event) -> Void
    ) async throws -> Bool {
        let stages = try Configuration.stages(of: file).filter { stage in
            guard let section = Section(rawValue: stage[0]) else {
                throw LoopyError(
                    .configuration,
                    "\(file): unknown stage '\(stage[0])'"
                        + Configuration.suggest(stage[0], Section.names))
            }
            return section.stage != nil
        }
        var allSucceeded = true
        for stage in stages where try isNeeded(stage[0]) {
            let process = process(for: stage)
            let name = stage.joined(separator: " ")
            if Section(rawValue: stage[0])?.stage == .units {
                try await runUnits(of: name, process, onEvent)
            } else {
                onEvent(.stageBegan(name, units: 0))
            }
            // Whole stages do their work here; the others only finish: all their units are there.
            switch try await process.run() {
            case .exited(0): break
            case .exited(Self.someFailed): allSucceeded = false
            case let end: throw Self.error(name, end)
            }
            onEvent(.stageEnded(name))
        }
        if try isNeeded("train") {
            let runs = try await train(onEvent)
            try await checkHeldOut(runs, onEvent)
        }
        return allSucceeded
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
                "page", "--dataset", dataset, "--output", dataset + "/index.html", "--metrics",
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
        arguments += ["--threads", String(settings.threads)]
        arguments += overrides.flatMap { ["--set", $0] }
        return StageProcess(folder: folder, name: "loopy-" + stage[0], arguments: arguments)
    }

    private func runUnits(
        of stage: String, _ process: StageProcess, _ onEvent: @escaping @Sendable (Event) -> Void
    ) async throws {
        let (end, units) = try await process.lines(["--pending"])
        guard end == .exited(0) else { throw Self.error(stage, end) }
        if !units.isEmpty {
            let end = try await process.run(["--prepare"])
            guard end == .exited(0) else { throw Self.error(stage, end) }
        }
        onEvent(.stageBegan(stage, units: units.count))
        // A process starts up in a second, so each gets several units; but the last ones are
        // shared out evenly.
        let perProcess = max(1, min(8, units.count / (4 * max(1, settings.workers))))
        let batches = stride(from: 0, to: units.count, by: perProcess).map {
            Array(units[$0..<min(units.count, $0 + perProcess)])
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            var waiting = batches.makeIterator()
            func startNext() {
                guard let batch = waiting.next() else { return }
                group.addTask { try await build(batch, of: stage, process, onEvent) }
            }
            for _ in 0..<max(1, settings.workers) { startNext() }
            while try await group.next() != nil { startNext() }
        }
    }

    /// Some units, until they are finished.
    private func build(
        _ units: [String], of stage: String, _ process: StageProcess,
        _ onEvent: @escaping @Sendable (Event) -> Void
    ) async throws {
        var deaths: [String: Int] = [:]
        var skipping: [String: String] = [:]
        while true {
            // Units that are finished already are passed over by the worker.
            let end = try await process.build(
                units, skipping: skipping, timeLimit: settings.timeLimit
            ) { event in
                switch event {
                case .item(let item): onEvent(.itemBegan(item))
                case .unitFinished: onEvent(.unitFinished)
                }
            }
            switch end {
            case .exited(0): return
            case .exited: throw Self.error("\(stage), unit \(units[0])", end)
            case .died(let reason, let item):
                onEvent(.workerDied(stage: stage, item: item, reason: reason))
                let count = deaths[item ?? "", default: 0] + 1
                deaths[item ?? ""] = count
                guard count >= 2 else { continue }
                guard let item else { throw Self.error("\(stage), unit \(units[0])", end) }
                skipping[item] = "\(reason), twice"
            }
        }
    }

    private static func error(_ what: String, _ end: ProcessEnd) -> LoopyError {
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

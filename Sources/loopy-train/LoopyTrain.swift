import ArgumentParser
import Errors
import Foundation
import LoopyModel
import Runs
import Settings
import StageCommand
import Storage
import Torch
import Training

@main
struct LoopyTrain: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loopy-train",
        abstract: "Train a model on shards, or export its weights.",
        subcommands: [Train.self, ExportWeights.self], defaultSubcommand: Train.self)
}

struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train a model on shards.",
        usage:
            "loopy-train CONFIG.yaml --shards DIR --output RUN [--resume] [--steps N] [--processes N]",
        discussion: """
            The paper's two stages are Pipelines/train-stage1.yaml and train-stage2.yaml; those for two \
            CPU cores begin with train-tiny. train-distilled.yaml makes a model of few sampling steps of \
            one of the second stage (model.stage: distilled). Ctrl-C and SIGTERM save a checkpoint and end the run; \
            --resume goes on from the last one, to the same numbers as if nothing had happened. Where \
            the shards, data.shuffle or data.windows_per_clip have changed meanwhile, it goes on with \
            the weights and the steps that it has, and begins a new epoch of the new data.

            Several processes train together, each on its share of every batch, to the numbers that one \
            would come to: --processes N starts them on this machine; torchrun --no-python, srun and \
            mpirun start them on several (docs/training-many.md).
            """)

    @Argument(help: ArgumentHelp("A file with a `train` section, or that section alone."))
    var config: String

    @Option(
        help: ArgumentHelp("The dataset's shards: DATASET/shards, or DATASET.", valueName: "dir"))
    var shards: String

    @Option(help: ArgumentHelp("The run: checkpoints and metrics.", valueName: "dir"))
    var output: String

    @Flag(help: "Go on from the run's last checkpoint; begin a run where there is none.")
    var resume = false

    @Flag(
        help: """
            With --resume: set a run that was trained with another model, or on shards with other \
            features, aside as RUN.1, and begin anew.
            """)
    var renew = false

    @Option(help: "The number of optimiser steps in all; instead of the file's.")
    var steps: Int?

    @Option(
        help: ArgumentHelp(
            "A run of the first stage, or a file of weights, to begin the second stage with; or the run that "
                + "a distilled model learns from; instead of the file's.", valueName: "run"))
    var firstStage: String?

    @Option(help: "cpu, or cuda:N; instead of the file's.")
    var device: String?

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp(
            "One setting, over the file's: train.key=value. May be repeated.",
            valueName: "setting"))
    var settings: [String] = []

    @Option(help: "The number of threads of each process; 0 shares the processors out.")
    var threads = 0

    @Option(
        help: """
            The number of processes of this machine that train together; 0 for one a processor, as many as \
            share a batch equally and have the memory, and one on a GPU.
            """)
    var processes = 1

    func validate() throws {
        try requireThreads(threads)
        guard (0...1024).contains(processes) else {
            throw ValidationError(
                "--processes: \(processes) is not a whole number from 0 to 1024")
        }
    }

    func run() throws {
        try reporting {
            let launch = try LaunchEnvironment(ProcessInfo.processInfo.environment)
            guard launch.size == 1 || processes < 2 else {
                throw LoopyError(
                    .configuration,
                    "--processes: something else has started \(launch.size) processes already "
                        + "(torchrun, srun or mpirun); leave --processes out")
            }
            guard launch.size == 1, processes != 1 else { return try join(launch) }
            // What no rank would accept is said once.
            let settings = try readSettings()
            let size =
                processes > 0
                ? processes
                : try settings.processes(on: Processors.available, Processors.memory)
            guard size > 1 else { return try join(launch) }
            try settings.requireShares(among: size)
            try launchRanks(size)
        }
    }

    /// Trains as one of the processes that were launched.
    private func join(_ launch: LaunchEnvironment) throws {
        let processors = Processors.available
        useThreads(threads > 0 ? threads : max(1, processors / launch.localSize))
        do {
            let group = try ProcessGroup(launch)
            let pulse = launch.size > 1 ? try Pulse(launch, onSilence: endOverSilence) : nil
            defer { pulse?.end() }
            try train(group, launch)
        } catch let failure as RankFailure {
            throw ExitCode(failure.exitStatus)
        } catch let error as LoopyError where launch.size > 1 {
            throw LoopyError(
                error.category, "rank \(launch.rank) of \(launch.size): \(error)")
        }
    }

    private func train(_ group: ProcessGroup, _ launch: LaunchEnvironment) throws {
        let settings = try group.together {
            let settings = try readSettings().on(launch)
            try settings.requireShares(among: group.size)
            return settings
        }
        let run = RunDirectory(output)
        let lock = try group.together {
            guard group.isFirst else { return FileLock?.none }
            return try FileLock(run.lockFile) {
                say("\(output): another process trains it; this one waits until that ends")
            }
        }
        defer { withExtendedLifetime(lock) {} }
        let source = try group.together { try TrainingSource(shards) }
        switch try group.together({ try beginning(run, settings, source) }) {
        case .nothingToDo(let done):
            if group.isFirst {
                say("\(output): \(done) steps are done, which is all that was asked for")
            }
            return
        case .anew(let obstacle):
            try group.together { if group.isFirst { try setAside(run, obstacle) } }
        case .asAsked: break
        }
        let trainer = try group.together {
            try Trainer(settings, source, run, group, resuming: resume)
        }
        try trainer.synchronise()
        if group.isFirst, let data = trainer.dataChange {
            say(
                "\(output): the data have changed (\(data.change)): goes on with the weights of step "
                    + "\(data.step) and begins epoch \(data.epoch) with the new data")
        }
        try train(trainer, launch)
    }

    /// How a run begins.
    private enum Beginning {
        case asAsked
        /// So many steps are done, and no more were asked for.
        case nothingToDo(Int)
        /// What keeps the former run from going on, which is set aside.
        case anew(String)
    }

    private func beginning(
        _ run: RunDirectory, _ settings: TrainingSettings, _ source: TrainingSource
    ) throws -> Beginning {
        guard let done = run.steps().last else { return .asAsked }
        guard resume else {
            throw LoopyError(
                .configuration,
                "\(output): holds a run with \(done) steps; --resume goes on with it, another --output "
                    + "begins anew")
        }
        let obstacle = try run.obstacle(to: settings, source)
        if let obstacle { return renew ? .anew(obstacle) : .asAsked }
        return done >= settings.steps ? .nothingToDo(done) : .asAsked
    }

    private func setAside(_ run: RunDirectory, _ obstacle: String) throws {
        say(
            "\(output): was trained with \(obstacle): kept as \(try run.setAside()), begun anew")
    }

    private func train(_ trainer: Trainer, _ launch: LaunchEnvironment) throws {
        let stop = StopSignals()
        let progress = trainer.group.isFirst ? TrainingProgress(trainer) : nil
        while !trainer.isFinished {
            let loss = try trainer.step()
            progress?.show(loss)
            // All ranks stop after the same step, whichever of them was told to.
            if try trainer.group.any(stop.wasAsked || launch.isOrphan) {
                try trainer.save()
                progress?.end()
                if trainer.group.isFirst {
                    say("stopped after step \(trainer.stepsDone); --resume goes on")
                }
                throw ExitCode(130)
            }
        }
        progress?.end()
        if trainer.group.isFirst { say("\(output): \(trainer.stepsDone) steps") }
    }

    private func readSettings() throws -> TrainingSettings {
        var settings = try TrainingSettings.read(file: config, overrides: self.settings)
        if let steps { settings.steps = steps }
        if let firstStage { settings.initialWeights.firstStage = firstStage }
        if let device { settings.device = device }
        try settings.validate(as: "train")
        return settings
    }
}

struct ExportWeights: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write a checkpoint's weights for use elsewhere.",
        discussion: """
            The folder holds config.json, model.safetensors and, where latents have a codec of Loopy's own, \
            codec.safetensors: what loopy-generate --weights takes. unet/ holds the denoising net's \
            weights under diffusers' names, without the layers that Loopy adds.
            """)

    @Option(name: .customLong("run"), help: ArgumentHelp("The run.", valueName: "dir"))
    var trained: String

    @Option(help: ArgumentHelp("The folder to write.", valueName: "dir"))
    var output: String

    @Option(help: "The checkpoint's step. Default: the last one's.")
    var step: Int?

    @Flag(help: "Take the weights themselves, not their moving averages.")
    var latest = false

    @Flag(help: "Write model.safetensors in half precision.")
    var half = false

    @Flag(help: "Leave out the two U-Nets in diffusers' layout.")
    var loopyOnly = false

    func run() throws {
        try reporting {
            let model = try TrainedModel(RunDirectory(trained), step: step, averaged: !latest)
            try Export.write(model, to: output, isHalf: half, isForDiffusers: !loopyOnly)
            say("\(output): the weights of \(trained) after step \(model.description.step)")
        }
    }
}

/// Shows loss, steps a second and the time left on standard error: in place on a terminal, as a line now
/// and then elsewhere.
private final class TrainingProgress {
    private let trainer: Trainer
    private let started = ContinuousClock.now
    private let stepsBefore: Int
    private var shown = ContinuousClock.now - .seconds(60)
    private var smoothed: Double?
    private let isTerminal = isatty(STDERR_FILENO) == 1

    init(_ trainer: Trainer) {
        self.trainer = trainer
        stepsBefore = trainer.stepsDone
    }

    func show(_ loss: Double) {
        smoothed = smoothed.map { 0.95 * $0 + 0.05 * loss } ?? loss
        let now = ContinuousClock.now
        guard now - shown >= (isTerminal ? .milliseconds(200) : .seconds(10)) else { return }
        shown = now
        let done = trainer.stepsDone - stepsBefore
        let seconds = (now - started) / .seconds(1)
        let left = Int(seconds / Double(done) * Double(trainer.settings.steps - trainer.stepsDone))
        let text = String(
            format: "train  %d/%d  loss %.4f  %.2f steps/s  %d:%02d:%02d left", trainer.stepsDone,
            trainer.settings.steps, smoothed ?? loss, Double(done) / seconds, left / 3600,
            left / 60 % 60, left % 60)
        FileHandle.standardError.write(
            Data((isTerminal ? "\r\u{1b}[K" + text : text + "\n").utf8))
    }

    func end() {
        if isTerminal { FileHandle.standardError.write(Data("\n".utf8)) }
    }
}

import Diffusion
import Errors
import Foundation
import LoopyModel
import Media
import Runs
import Torch

/// Trains a model: from shards to checkpoints. Belongs to one thread.
///
///     let trainer = try Trainer(settings, source, run, resuming: false)
///     while !trainer.isFinished { try trainer.step() }
///     try trainer.save()
///
/// In a group of several processes each has a trainer, and all call the same methods: each computes its
/// equal share of every batch, gradients are summed, and rank 0 writes the run.
public final class Trainer {
    public let settings: TrainingSettings
    public let group: ProcessGroup
    /// The number of optimiser steps that are done.
    public private(set) var stepsDone = 0
    /// How the data have changed since the checkpoint that this goes on from; nil where they have not.
    public let dataChange: RunDescription.DataChange?

    let run: RunDirectory
    let store: ParameterStore
    let optimiser: DistributedAdamW
    /// Nil where weights are not averaged, and on other ranks than the first.
    let averages: MovingAverage?
    let windows: WindowPrefetcher
    /// The step of the last checkpoint that this process has begun or read.
    var savedStep: Int?
    /// The checkpoint that is being written.
    var saving: CheckpointWriter?
    /// The seconds spent training, earlier processes' included.
    private(set) var seconds = 0.0
    let model: LoopyNet
    /// Nil in other stages than `distilled`.
    private let teacher: Teacher?
    let schedule: NoiseSchedule
    private let heldOut: [ClipWindow]
    /// Nil where no pictures are wanted, or no windows are held out, and on other ranks than the first.
    private let samples: ValidationSamples?
    let device: Device
    /// The weights that are trained.
    let trained: [(name: String, tensor: Tensor)]
    /// Nil on other ranks than the first.
    private let metrics: MetricsWriter?

    /// The seconds that steps have waited for windows, which are read meanwhile.
    package var secondsWaited: Double { windows.secondsWaited }

    public var isFinished: Bool { stepsDone >= settings.steps }

    /// - Parameters:
    ///   - source: the shards.
    ///   - run: the directory for checkpoints; a new one, unless `resuming`.
    ///   - group: the processes that train together. Nothing is sent here: one that throws leaves no other
    ///     waiting. Several call `synchronise` before the first step.
    /// - Throws: `LoopyError` for settings that cannot be used, shards that do not fit the model, and a
    ///   run that had another model or saw other columns; what is wrong with weights and checkpoints.
    public init(
        _ settings: TrainingSettings, _ source: TrainingSource, _ run: RunDirectory,
        _ group: ProcessGroup = ProcessGroup(), resuming: Bool
    ) throws {
        try settings.validate(as: "train")
        try settings.requireShares(among: group.size)
        if resuming { try run.requireNoObstacle(to: settings, source) }
        self.settings = settings
        self.group = group
        self.run = run
        device = try Device(settings.device)
        schedule = try NoiseSchedule(settings.schedule)

        let window = try source.anyWindow(settings)
        try Self.requireFit(window, settings)
        try Self.requireMemory(settings, window, group)
        teacher =
            settings.model.stage == .distilled ? try Teacher(of: settings, schedule, device) : nil
        if group.isFirst { try run.prepare(settings, source, teacher?.facts, resuming: resuming) }

        // The model, with its initial weights; a checkpoint replaces them.
        store = ParameterStore(drawing: try Generator(seed: UInt64(settings.seed), device: device))
        model = try LoopyNet(store.root, settings.model)
        let last = resuming ? run.steps().last : nil
        if last == nil { try store.load(settings.initialWeights, for: settings.model) }
        let frozen = settings.frozen
        func isTrained(_ name: String) -> Bool { !frozen.contains { name.hasPrefix($0) } }
        trained = store.parameters.filter { isTrained($0.name) }
        guard !trained.isEmpty else {
            throw LoopyError(.configuration, "train.frozen: leaves no weight to train")
        }
        store.requireGradients(where: isTrained)
        optimiser = DistributedAdamW(
            trained, settings: settings.optimiser.adamW, group,
            isSharded: settings.optimiser.sharded,
            reduction: settings.reducePrecision == .bfloat16 ? .bfloat16 : nil)
        averages =
            settings.emaDecay > 0 && group.isFirst
            ? MovingAverage(trained, decay: settings.emaDecay) : nil

        // Where an earlier process stood.
        let state = try last.map { try run.state(CheckpointState.self, of: $0) }
        if let state {
            let folder = run.checkpoint(state.step)
            try schedule.requireSame(as: state.schedule, in: folder)
            try Self.restore(store, optimiser, averages, from: folder, step: state.step)
            (stepsDone, savedStep) = (state.step, state.step)
            seconds = state.seconds
        }
        let share = WindowShare(batch: settings.batchSize, rank: group.rank, of: group.size)
        let stream = try source.stream(settings, from: state?.stream, isLazy: group.size > 1)
        dataChange = stream.change.map { [epoch = stream.state.epoch, stepsDone] change in
            .init(step: stepsDone, epoch: epoch, change: change)
        }
        if resuming, group.isFirst { try run.rewind(to: stepsDone, dataChange) }

        windows = WindowPrefetcher(stream, depth: settings.data.prefetch, share: share)
        heldOut = try source.heldOut(settings)
        samples =
            settings.validation.samples > 0 && !heldOut.isEmpty && group.isFirst
            ? try ValidationSamples(
                heldOut, settings, schedule, source.loadCodec(settings), device) : nil
        metrics =
            group.isFirst ? try MetricsWriter(run, resumingAt: resuming ? stepsDone + 1 : nil) : nil
    }

    deinit { windows.cancel() }

    // MARK: A step

    /// Takes one optimiser step, and writes a line of metrics, validates and saves a checkpoint when
    /// they are due.
    ///
    /// - Returns: the step's loss.
    /// - Throws: `LoopyError` `.notFinite` that names step, weight and clips; what the shards and the
    ///   disk throw.
    @discardableResult
    public func step() throws -> Double {
        let started = ContinuousClock.now
        let waitedBefore = windows.secondsWaited
        var ownLoss = 0.0
        var keys: [String] = []
        for part in 0..<settings.gradientAccumulation {
            let batch = try nextBatch(part)
            keys += batch.keys
            let partLoss =
                lossOf(
                    batch, mouthShape: settings.mouthShapeWeight, of: try wholeBatch(of: batch))
                / Double(settings.gradientAccumulation * group.size)
            partLoss.backward()
            ownLoss += partLoss.scalar
        }
        let sums = try optimiser.sumGradients([ownLoss, hasWritten() ? 1 : 0])
        let loss = sums[0]
        try finishSaving(ifWrittenBy: Int(sums[1]))
        let limit = settings.optimiser.maxGradNorm
        let norm = try optimiser.clipGradientNorm(maxNorm: limit > 0 ? limit : .infinity)
        guard loss.isFinite, norm.isFinite else { throw notFinite(loss, keys) }
        try optimiser.step(learningRate: settings.learningRate(at: stepsDone))
        averages?.update()
        stepsDone += 1

        let spent = (ContinuousClock.now - started) / .seconds(1)
        seconds += spent
        metrics?.add(
            loss: loss, gradientNorm: norm, seconds: spent,
            waited: windows.secondsWaited - waitedBefore)
        try finishStep()
        return loss
    }

    /// Reads this rank's share of the next batch.
    ///
    /// - Parameter part: the number of the batch in the step.
    private func nextBatch(_ part: Int) throws -> TrainingBatch {
        let count = settings.batchSize / group.size
        let first = (stepsDone * settings.gradientAccumulation + part) * settings.batchSize
        return try TrainingBatch(
            try (0..<count).map { _ in try windows.next() }, first: first + group.rank * count,
            settings: settings, device: device)
    }

    /// - Parameters:
    ///   - mouthShape: the weight of the mouth's shape, which is of no use in validation: there the loss is
    ///     that of denoising.
    ///   - whole: the batch of which this is a share.
    private func lossOf(
        _ batch: TrainingBatch, mouthShape: Double = 0, of whole: LoopyNet.WholeBatch? = nil
    ) -> Tensor {
        let gamma = settings.snrGamma > 0 ? settings.snrGamma : nil
        func compute() -> Tensor {
            if let teacher {
                return teacher.distillation.loss(
                    model, batch.latents, noise: batch.noise, timesteps: batch.timesteps,
                    batch.conditions, in: settings.distillation.phase(ofStep: stepsDone),
                    gamma: gamma, weights: batch.weights, meanWeight: whole?.meanWeight,
                    gradientCheckpointing: settings.gradientCheckpointing)
            }
            return model.loss(
                batch.latents, noise: batch.noise, timesteps: batch.timesteps, batch.conditions,
                schedule, gamma: gamma, weights: batch.weights, mouthShape: mouthShape, of: whole,
                gradientCheckpointing: settings.gradientCheckpointing)
        }
        return settings.precision.resolved(on: settings.device).computing(on: device, compute)
    }

    private func finishStep() throws {
        func isDue(_ every: Int) -> Bool { stepsDone % every == 0 || isFinished }
        var line: MetricsLine?
        if isDue(settings.logEvery) {
            line = metrics?.means(
                step: stepsDone, learningRate: settings.learningRate(at: stepsDone - 1))
        }
        if isDue(settings.validation.every), !heldOut.isEmpty {
            line = line ?? MetricsLine(step: stepsDone)
            line?.validation =
                try teacher.map { ["to_teacher": try distance(to: $0, on: heldOut)] } ?? validate()
            if let samples { try draw(samples) }
        }
        if let line { try metrics?.write(line) }
        let checkpoints = settings.checkpoints
        if isFinished {
            try save()
        } else if isDue(checkpoints.every) || checkpoints.isMilestone(stepsDone) {
            try beginSaving()
        }
    }

    /// Draws samples of the averaged weights, which are those that will be used.
    private func draw(_ samples: ValidationSamples) throws {
        func draw() throws -> Canvas { try withoutGradient { try samples.draw(model) } }
        let canvas = try averages.map { try $0.withAverages(draw) } ?? draw()
        try metrics?.write(canvas, step: stepsDone)
    }

    private func notFinite(_ loss: Double, _ keys: [String]) -> LoopyError {
        let weight = optimiser.firstNonFiniteGradient ?? "none: the loss itself"
        return LoopyError(
            .notFinite,
            "step \(stepsDone + 1): the loss is \(loss), and not all gradients are numbers (first: "
                + "\(weight)); clips \(Set(keys).sorted().joined(separator: ", ")). Checkpoints are as "
                + "they were; try a lower learning rate, or precision: float32")
    }

    // MARK: Validation

    /// Computes the mean loss on the held-out windows, with fixed noise and timesteps: with all
    /// conditions, and without each of them. Ranks share the windows out.
    private func validate() throws -> [String: Double] {
        var changes: [(String, (inout ConditionMask) -> Void)] = [("all", { _ in })]
        if settings.model.stage.isVideo {
            changes += [
                ("no_audio", { $0.audio = true }), ("no_motion_frames", { $0.motionFrames = true }),
            ]
        }
        changes.append(("no_reference", { $0.reference = true }))
        var losses: [String: Double] = [:]
        try withoutGradient {
            for (name, change) in changes {
                var ofWindows = [Double](repeating: 0, count: heldOut.count)
                for (number, window) in heldOut.enumerated()
                where number % group.size == group.rank {
                    var batch = try TrainingBatch(
                        fixed: window, number: number, of: heldOut.count, settings: settings,
                        device: device)
                    for sample in batch.conditions.masks.indices {
                        change(&batch.conditions.masks[sample])
                    }
                    ofWindows[number] = lossOf(batch).scalar
                }
                losses[name] =
                    try group.sum(ofWindows).reduce(0, +) / Double(heldOut.count)
            }
        }
        return losses
    }
}

extension TrainingSettings {
    /// The learning rate of a step, counted from 0: it grows over the warm-up, and is constant then, as
    /// the paper has it, or falls.
    package func learningRate(at step: Int) -> Double {
        optimiser.schedule.learningRate(
            at: step, greatest: optimiser.learningRate, warmup: optimiser.warmupSteps, steps: steps)
    }
}

extension TrainingSettings.Optimiser {
    var adamW: AdamW.Settings {
        var settings = AdamW.Settings()
        (settings.beta1, settings.beta2, settings.weightDecay) = (beta1, beta2, weightDecay)
        return settings
    }
}

import Diffusion
import Errors
import Foundation
import LoopyModel
import Settings
import Torch
import Weights

/// Trains a model: from shards to checkpoints. Belongs to one thread.
///
///     let trainer = try Trainer(settings, source, run, resuming: false)
///     while !trainer.isFinished { try trainer.step() }
///     try trainer.save()
public final class Trainer {
    public let settings: TrainingSettings
    private let run: RunDirectory
    private let store: ParameterStore
    private let model: LoopyNet
    private let schedule: NoiseSchedule
    private let optimiser: AdamW
    private let averages: MovingAverage?
    private let windows: WindowPrefetcher
    private let heldOut: [ClipWindow]
    private let device: Device
    private let trained: [(name: String, tensor: Tensor)]
    private let events: EventFile
    /// Optimiser steps that are done.
    public private(set) var stepsDone = 0
    private var seconds = 0.0
    private var recent = Recent()

    /// Since the last line of metrics.
    private struct Recent {
        var losses: [Double] = []
        var norms: [Double] = []
        var seconds = 0.0
        var waited = 0.0
    }

    public var isFinished: Bool { stepsDone >= settings.steps }

    /// - Parameters:
    ///   - source: the shards.
    ///   - run: where checkpoints go; a new one, unless `resuming`.
    /// - Throws: `LoopyError` for settings that cannot be used and shards that do not fit the model;
    ///   what is wrong with weights and checkpoints.
    public init(
        _ settings: TrainingSettings, _ source: TrainingSource, _ run: RunDirectory, resuming: Bool
    ) throws {
        try settings.validate()
        self.settings = settings
        self.run = run
        device = try Device(settings.device)
        schedule = try NoiseSchedule(settings.schedule)

        let window = try source.anyWindow(settings)
        try Self.requireFit(window, settings)
        try Self.requireMemory(settings, window)

        // The model, from its beginning or from the last checkpoint.
        store = ParameterStore(drawing: try Generator(seed: UInt64(settings.seed), device: device))
        model = try LoopyNet(store.root, settings.model)
        let frozen = settings.frozen
        func isTrained(_ name: String) -> Bool { !frozen.contains { name.hasPrefix($0) } }
        let last = resuming ? run.steps().last : nil
        if last == nil { try Self.begin(store, settings) }
        trained = store.parameters.filter { isTrained($0.name) }
        guard !trained.isEmpty else {
            throw LoopyError(.configuration, "train.frozen: leaves no weight to train")
        }
        store.requireGradients(where: isTrained)
        optimiser = AdamW(trained, settings: settings.optimiser.adamW)
        averages =
            settings.averageDecay > 0
            ? MovingAverage(trained, decay: settings.averageDecay) : nil

        var streamState: WindowStream.State?
        if let last {
            let state = try run.state(last)
            try schedule.requireSame(as: state.schedule, in: run.checkpoint(last))
            try Self.restore(run.checkpoint(last), steps: state.step, store, optimiser, averages)
            stepsDone = state.step
            seconds = state.seconds
            streamState = state.stream
        }
        if resuming { try run.cutMetrics(after: stepsDone) }

        let stream = try source.stream(settings, from: streamState)
        heldOut = try source.heldOut(settings)
        windows = WindowPrefetcher(stream, depth: settings.data.prefetch)
        events = try EventFile(folder: run.path, resumingAt: resuming ? stepsDone : nil)
    }

    deinit { windows.cancel() }

    private static func begin(_ store: ParameterStore, _ settings: TrainingSettings) throws {
        func path(_ name: String, _ setting: String) throws -> String {
            if let path = try ModelManifest.resolve(name) { return path }
            throw LoopyError(
                .configuration,
                "train.begin.\(setting): '\(name)' is not here; `loopy models` says where it is "
                    + "published and where to put it")
        }
        let begin = settings.begin
        if !begin.stableDiffusion.isEmpty {
            try store.beginWithStableDiffusion(
                path(begin.stableDiffusion, "stable_diffusion"), settings.model)
        }
        if !begin.firstStage.isEmpty {
            let run = RunDirectory(begin.firstStage)
            let file = run.steps().last.map(run.bestWeights) ?? begin.firstStage
            try store.beginWithFirstStage(file)
        }
        if !begin.animateDiff.isEmpty, settings.model.stage == .video {
            let folder = try path(begin.animateDiff, "animate_diff")
            try store.beginWithAnimateDiff(folder, settings.model)
        }
    }

    // MARK: A step

    /// One optimiser step, with a line of metrics, validation and a checkpoint when they are due.
    ///
    /// - Returns: its loss.
    /// - Throws: `LoopyError` `.notFinite` that names step, weight and clips; what the shards and the
    ///   disk throw.
    @discardableResult
    public func step() throws -> Double {
        let started = ContinuousClock.now
        let waitedBefore = windows.secondsWaited
        var loss = 0.0
        var keys: [String] = []
        for part in 0..<settings.accumulate {
            let first = (stepsDone * settings.accumulate + part) * settings.batch
            let batch = try TrainingBatch(
                try (0..<settings.batch).map { _ in try windows.next() }, first: first,
                settings: settings, device: device)
            keys += batch.keys
            let partLoss = lossOf(batch) / Double(settings.accumulate)
            partLoss.backward()
            loss += partLoss.scalar
        }
        let norm = clipGradientNorm(
            trained,
            maxNorm: settings.optimiser.maximumNorm > 0
                ? settings.optimiser.maximumNorm : .infinity)
        guard loss.isFinite, norm.isFinite else { throw notFinite(loss, keys) }
        optimiser.step(learningRate: settings.learningRate(at: stepsDone))
        optimiser.zeroGradients()
        averages?.update()
        stepsDone += 1

        let spent = (ContinuousClock.now - started) / .seconds(1)
        seconds += spent
        recent.losses.append(loss)
        recent.norms.append(norm)
        recent.seconds += spent
        recent.waited += windows.secondsWaited - waitedBefore
        try finishStep()
        return loss
    }

    private func lossOf(_ batch: TrainingBatch) -> Tensor {
        let gamma = settings.minimumSnrGamma > 0 ? settings.minimumSnrGamma : nil
        func compute() -> Tensor {
            model.loss(
                batch.latents, noise: batch.noise, timesteps: batch.timesteps, batch.conditions,
                schedule, gamma: gamma, gradientCheckpointing: settings.recompute)
        }
        return settings.precision == .bfloat16
            ? withAutocast(device, .bfloat16, compute) : compute()
    }

    private func finishStep() throws {
        let isLast = isFinished
        var line: MetricsLine?
        if stepsDone % settings.logEvery == 0 || isLast { line = means() }
        if stepsDone % settings.validation.every == 0 || isLast, !heldOut.isEmpty {
            line = line ?? MetricsLine(step: stepsDone)
            line?.validation = try validate()
        }
        if let line {
            try run.append(line)
            try report(line)
        }
        if stepsDone % settings.checkpoints.every == 0 || isLast { try save() }
    }

    private func means() -> MetricsLine {
        var line = MetricsLine(step: stepsDone)
        let count = Double(max(1, recent.losses.count))
        line.loss = recent.losses.reduce(0, +) / count
        line.gradientNorm = recent.norms.reduce(0, +) / count
        line.learningRate = settings.learningRate(at: stepsDone - 1)
        line.stepsPerSecond = count / max(recent.seconds, 1e-9)
        line.waiting = recent.waited / max(recent.seconds, 1e-9)
        recent = Recent()
        return line
    }

    private func report(_ line: MetricsLine) throws {
        let scalars: [(String, Double?)] = [
            ("loss", line.loss), ("gradient_norm", line.gradientNorm),
            ("learning_rate", line.learningRate), ("steps_per_second", line.stepsPerSecond),
            ("waiting", line.waiting),
        ]
        for case let (tag, value?) in scalars {
            try events.scalar("train/" + tag, value, step: line.step)
        }
        for (tag, value) in (line.validation ?? [:]).sorted(by: { $0.key < $1.key }) {
            try events.scalar("validation/" + tag, value, step: line.step)
        }
    }

    private func notFinite(_ loss: Double, _ keys: [String]) -> LoopyError {
        let weight = firstNonFiniteGradient(trained) ?? "none: the loss itself"
        return LoopyError(
            .notFinite,
            "step \(stepsDone + 1): the loss is \(loss), and not all gradients are numbers (first: "
                + "\(weight)); clips \(Set(keys).sorted().joined(separator: ", ")). Checkpoints are as "
                + "they were; try a lower learning rate, or precision: float32")
    }

    // MARK: Validation

    /// Mean loss on the held-out windows with fixed noise and timesteps: with all conditions, and
    /// without each of them.
    private func validate() throws -> [String: Double] {
        var changes: [(String, (inout ConditionMask) -> Void)] = [("all", { _ in })]
        if settings.model.stage == .video {
            changes += [
                ("no_audio", { $0.audio = true }), ("no_motion_frames", { $0.motionFrames = true }),
            ]
        }
        changes.append(("no_reference", { $0.reference = true }))
        var losses: [String: Double] = [:]
        try withoutGradient {
            for (name, change) in changes {
                var sum = 0.0
                for (number, window) in heldOut.enumerated() {
                    var batch = try TrainingBatch(
                        fixed: window, number: number, of: heldOut.count, settings: settings,
                        device: device)
                    for sample in batch.conditions.masks.indices {
                        change(&batch.conditions.masks[sample])
                    }
                    sum += lossOf(batch).scalar
                }
                losses[name] = sum / Double(heldOut.count)
            }
        }
        return losses
    }

    // MARK: Checkpoints

    /// Writes a checkpoint of where the run stands, if there is none yet.
    public func save() throws {
        guard run.steps().last != stepsDone else { return }
        var files: [(name: String, tensors: [(name: String, tensor: Tensor)])] = [
            ("model.safetensors", store.parameters), ("optimiser.safetensors", optimiser.state),
        ]
        if let averages { files.append(("averages.safetensors", averages.averages)) }
        let state = RunDirectory.State(
            step: stepsDone, schedule: settings.schedule, stream: windows.state, seconds: seconds)
        try run.save(state, files, keep: settings.checkpoints.keep)
    }

    private static func restore(
        _ folder: String, steps: Int, _ store: ParameterStore, _ optimiser: AdamW,
        _ averages: MovingAverage?
    ) throws {
        let covered = try store.assign(Checkpoint(folder + "/model.safetensors"))
        guard covered == Set(store.names) else {
            throw LoopyError(
                .mismatch, "\(folder)/model.safetensors: is of a model with fewer weights")
        }
        let moments = try Checkpoint(folder + "/optimiser.safetensors")
        try optimiser.restore(Dictionary(tensors: moments))
        if let averages {
            let file = try Checkpoint(folder + "/averages.safetensors")
            var state: [String: Tensor] = ["updates": Tensor([Int64(steps)], shape: [])]
            for name in file.names {
                state[name + ".average"] = file.tensor(name).map { Tensor($0) }
            }
            try averages.restore(state)
        }
    }
}

extension [String: Tensor] {
    /// All tensors of a checkpoint.
    fileprivate init(tensors checkpoint: Checkpoint) {
        self.init()
        for name in checkpoint.names { self[name] = checkpoint.tensor(name).map { Tensor($0) } }
    }
}

extension RunDirectory {
    /// The averaged weights of a checkpoint, or the weights themselves where none were averaged.
    public func bestWeights(_ step: Int) -> String {
        let averages = checkpoint(step) + "/averages.safetensors"
        return FileManager.default.fileExists(atPath: averages)
            ? averages : checkpoint(step) + "/model.safetensors"
    }
}

extension TrainingSettings {
    /// Of a step, counted from 0: growing over the warm-up, then constant, as the paper has it.
    func learningRate(at step: Int) -> Double {
        let share = optimiser.warmUp > 0 ? Double(step + 1) / Double(optimiser.warmUp) : 1
        return optimiser.learningRate * min(1, share)
    }
}

extension TrainingSettings.Optimiser {
    var adamW: AdamW.Settings {
        var settings = AdamW.Settings()
        (settings.beta1, settings.beta2, settings.weightDecay) = (beta1, beta2, weightDecay)
        return settings
    }
}

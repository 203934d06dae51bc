import Diffusion
import Errors
import Runs
import Torch
import Weights

/// Where a run stands, besides its weights: a checkpoint's `state.json`.
struct CheckpointState: Codable {
    var step: Int
    var schedule: NoiseSchedule.Settings
    var stream: WindowStream.State
    /// The seconds spent training.
    var seconds: Double
}

extension Trainer {
    /// Writes a checkpoint of where the run stands, if there is none yet, and returns when it is there. Every
    /// rank writes its part; what the checkpoint holds does not depend on the number of ranks.
    public func save() throws {
        try beginSaving()
        try finishSaving()
    }

    /// Begins a checkpoint, which is written while training goes on.
    func beginSaving() throws {
        guard savedStep != stepsDone else { return }
        try finishSaving()
        savedStep = stepsDone
        var files = [
            try CheckpointWriter.File(
                "model.safetensors", DistributedState(store.parameters, group)),
            try CheckpointWriter.File("optimiser.safetensors", optimiser.state()),
        ]
        if settings.emaDecay > 0 {
            // The first rank has them.
            var state = DistributedState(trained, group)
            state.pieces = (averages?.averages ?? []).map {
                .init(name: $0.name, start: 0, numbers: $0.tensor)
            }
            files.append(try CheckpointWriter.File("averages.safetensors", state))
        }
        let state = CheckpointState(
            step: stepsDone, schedule: settings.schedule, stream: windows.state, seconds: seconds)
        let writer = try CheckpointWriter(
            run, step: stepsDone, state, files, keeping: settings.checkpoints)
        try group.together { if group.isFirst { try writer.prepare() } }
        writer.start()
        saving = writer
    }

    /// Waits until the checkpoint that was begun is there.
    private func finishSaving() throws {
        guard let writer = saving else { return }
        try group.together { try writer.wait() }
        try group.together { if group.isFirst { try writer.commit() } }
        saving = nil
    }

    /// Whether this rank has written its part of the checkpoint that was begun, for `finishSaving(ifWrittenBy:)`.
    ///
    /// - Throws: `LoopyError` `.output` where it could not.
    func hasWritten() throws -> Bool { try saving?.isWritten() ?? false }

    /// Finishes the checkpoint that was begun, where all ranks have written theirs.
    func finishSaving(ifWrittenBy ranks: Int) throws {
        guard let writer = saving, ranks == group.size else { return }
        if group.isFirst { try writer.commit() }
        saving = nil
    }

    /// Reads the tensors that `save` wrote.
    ///
    /// - Parameter step: the checkpoint's step.
    static func restore(
        _ store: ParameterStore, _ optimiser: DistributedAdamW, _ averages: MovingAverage?,
        from folder: String, step: Int
    ) throws {
        let covered = try store.assign(Checkpoint(folder + "/model.safetensors"))
        guard covered == Set(store.names) else {
            throw LoopyError(
                .mismatch, "\(folder)/model.safetensors: is of a model with fewer weights")
        }
        try optimiser.restore(tensors(of: folder + "/optimiser.safetensors"))
        guard let averages else { return }
        let stored = try tensors(of: folder + "/averages.safetensors")
        var state = Dictionary(uniqueKeysWithValues: stored.map { ($0 + ".average", $1) })
        state["updates"] = Tensor([Int64(step)], shape: [])
        try averages.restore(state)
    }

    private static func tensors(of path: String) throws -> [String: Tensor] {
        let checkpoint = try Checkpoint(path)
        var tensors: [String: Tensor] = [:]
        for name in checkpoint.names { tensors[name] = checkpoint.tensor(name).map { Tensor($0) } }
        return tensors
    }
}

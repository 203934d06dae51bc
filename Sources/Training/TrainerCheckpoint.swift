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
    /// Writes a checkpoint of where the run stands, if there is none yet: rank 0 writes it, and all return
    /// when it is there. What it holds does not depend on the number of ranks.
    public func save() throws {
        guard savedStep != stepsDone else { return }
        let moments = try optimiser.state()
        try group.together { if group.isFirst { try write(moments) } }
        savedStep = stepsDone
    }

    /// - Parameter moments: the optimiser's state.
    private func write(_ moments: [(name: String, tensor: Tensor)]) throws {
        guard run.steps().last != stepsDone else { return }
        var files: [(name: String, tensors: [(name: String, tensor: Tensor)])] = [
            ("model.safetensors", store.parameters), ("optimiser.safetensors", moments),
        ]
        if let averages { files.append(("averages.safetensors", averages.averages)) }
        let state = CheckpointState(
            step: stepsDone, schedule: settings.schedule, stream: windows.state, seconds: seconds)
        try run.save(step: stepsDone, state, files, keeping: settings.checkpoints)
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

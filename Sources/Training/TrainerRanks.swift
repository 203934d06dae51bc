import Errors
import LoopyModel
import Runs
import Torch

// What the trainers of several processes agree on.
extension Trainer {
    /// Lets all ranks begin alike: with the weights of rank 0, at the same step.
    ///
    /// - Throws: `LoopyError` `.mismatch` where ranks have read different checkpoints; what the group throws.
    public func synchronise() throws {
        guard group.size > 1 else { return }
        let steps = try group.sum(
            (0..<group.size).map { $0 == group.rank ? Double(stepsDone) : 0 })
        guard Set(steps).count == 1 else {
            let read = steps.map { String(Int($0)) }.joined(separator: ", ")
            throw LoopyError(
                .mismatch,
                "\(run.path): the ranks see checkpoints of the steps \(read); the run must be in a "
                    + "folder that all machines share")
        }
        try withoutGradient { try group.broadcast(store.parameters.map { $0.tensor.detached() }) }
    }

    /// What the loss divides by of the batch that a share is of; nil where the share is all, or nothing
    /// but the number of samples counts.
    func wholeBatch(of share: TrainingBatch) throws -> LoopyNet.WholeBatch? {
        guard group.size > 1, share.weights != nil || settings.mouthShapeWeight > 0 else {
            return nil
        }
        let masks = share.conditions.masks
        let heard = masks.filter { !$0.audio }.count
        let sums = try group.sum([
            share.weights?.mean().scalar ?? 1, Double(heard) / Double(max(1, masks.count)),
        ])
        let means = sums.map { $0 / Double(group.size) }
        return LoopyNet.WholeBatch(meanWeight: means[0], heardPart: means[1])
    }
}

extension TrainingSettings {
    /// - Throws: `LoopyError` `.configuration` where processes cannot have equal shares of a batch.
    public func requireShares(among processes: Int) throws(LoopyError) {
        guard batchSize % processes != 0 else { return }
        let samples = batchSize * gradientAccumulation
        let remedy =
            samples % processes == 0
            ? "set batch_size: \(processes) and gradient_accumulation: \(samples / processes), "
                + "which is the same number of clips a step"
            : "set batch_size to a multiple of \(processes)"
        throw LoopyError(
            .configuration,
            "batch_size: \(batchSize) clips cannot be shared out equally among \(processes) "
                + "processes; \(remedy), or start another number of processes")
    }

    /// The memory, in bytes, that there is for each process where their number is not given.
    private static let memoryOfProcess = 4 << 30
    /// What a weight takes in training and while a checkpoint is written, with its gradient, AdamW's moments and its
    /// average.
    private static let bytesOfWeight = 32

    /// How many processes of a machine train quickest: on processors one for each, because threads of one process
    /// wait for one another in each of a step's many small operations, and processes once a step; on a GPU one.
    ///
    /// - Parameters:
    ///   - processors: how many there are.
    ///   - memory: the machine's, in bytes.
    /// - Returns: a number that divides the batch.
    /// - Throws: `LoopyError` `.configuration` for settings that make no model.
    public func processes(on processors: Int, _ memory: Int) throws -> Int {
        guard device == "cpu" else { return 1 }
        let own = try Self.bytesOfWeight * ModelSummary(model).parameters
        let most = min(processors, memory / max(Self.memoryOfProcess, own))
        return (1...max(1, most)).last { batchSize % $0 == 0 }!  // 1 does
    }
}

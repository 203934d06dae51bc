import Errors
import LoopyModel
import Runs
import Storage
import Torch

// What the trainer refuses before a run begins.
extension Trainer {
    /// - Throws: `LoopyError` `.memory` where the run cannot fit, with what would make it fit.
    static func requireMemory(
        _ settings: TrainingSettings, _ window: ClipWindow, _ group: ProcessGroup
    ) throws {
        guard let available = try availableMemory(settings, among: group.localSize) else { return }
        let summary = try ModelSummary(settings.model)
        let side = max(window.latents.length(2), window.latents.length(3))
        func needed(batch: Int, checkpointing: Bool) -> Int {
            let estimate = MemoryEstimate(
                settings.model, parameters: summary.parameters, batch: batch,
                side: side, precision: settings.precision.resolved(on: settings.device),
                shards: settings.optimiser.sharded ? group.size : 1)
            let averages = settings.emaDecay > 0 ? 4 * summary.parameters : 0
            return averages + (checkpointing ? estimate.checkpointedTraining : estimate.training)
        }
        let share = settings.batchSize / group.size
        let smallest =
            "batch_size: \(group.size) with gradient_accumulation: "
            + "\(share * settings.gradientAccumulation)"
        let wanted = needed(
            batch: share, checkpointing: settings.gradientCheckpointing)
        guard wanted > available else { return }
        var remedies: [String] = []
        if !settings.gradientCheckpointing,
            needed(batch: share, checkpointing: true) <= available
        {
            remedies.append("gradient_checkpointing: true")
        }
        if share > 1,
            needed(batch: 1, checkpointing: settings.gradientCheckpointing) <= available
        {
            remedies.append(smallest)
        }
        if remedies.isEmpty {
            let least = needed(batch: 1, checkpointing: true)
            remedies.append(
                least <= available
                    ? smallest + " and gradient_checkpointing: true"
                    : "a device with \(MemoryEstimate.text(least)) or more, ema_decay: 0, or preset: tiny"
            )
        }
        throw LoopyError(
            .memory,
            "training takes about \(MemoryEstimate.text(wanted)), and \(settings.device) has "
                + "\(MemoryEstimate.text(available))\(group.localSize > 1 ? " for each process" : ""). What would make it fit: "
                + remedies.joined(separator: ", or "))
    }

    /// The device's free memory in bytes: this process's part of the machine's where the processor trains.
    private static func availableMemory(
        _ settings: TrainingSettings, among processes: Int
    ) throws -> Int? {
        let device = try Device(settings.device)
        let stated = settings.memoryGib > 0 ? Int(settings.memoryGib * 1024 * 1024 * 1024) : nil
        guard device == .cpu else { return stated ?? device.freeMemory }
        return (stated ?? Memory.available).map { $0 / processes }
    }

    /// - Throws: `LoopyError` `.malformed` where clips do not fit the model's shape.
    static func requireFit(_ window: ClipWindow, _ settings: TrainingSettings) throws {
        let model = settings.model
        let channels = window.latents.length(1)
        guard channels == model.latentChannels else {
            throw LoopyError(
                .malformed,
                "\(window.shard): latents have \(channels) channels, and the model takes "
                    + "\(model.latentChannels); set train.model.latent_channels, or extract other "
                    + "latents")
        }
        guard model.stage.isVideo else { return }
        let (layers, width) = (window.speech.length(2), window.speech.length(3))
        guard layers == model.speechLayers, width == model.speechChannels else {
            throw LoopyError(
                .malformed,
                "\(window.shard): speech features are [\(layers), \(width)] a frame, and the model takes "
                    + "[\(model.speechLayers), \(model.speechChannels)]; set "
                    + "train.model.speech_layers and speech_channels, or extract other features")
        }
    }
}

import Errors
import Foundation
import Runs
import Storage

extension RunDirectory {
    /// Compares what a run was trained on with what it would be trained on now.
    ///
    /// - Returns: what keeps it from going on; nil where it may, and where there is no checkpoint yet.
    /// - Throws: `LoopyError` when the run cannot be understood.
    public func obstacle(
        to settings: TrainingSettings, _ source: TrainingSource
    ) throws -> String? {
        guard !steps().isEmpty else { return nil }
        let former = try description()
        guard former.settings.model == settings.model,
            former.settings.schedule == settings.schedule, former.settings.seed == settings.seed
        else { return "another model, noise schedule or seed" }
        guard Set(former.settings.frozen) == Set(settings.frozen) else {
            return "other frozen weights"
        }
        let columns = source.columns(settings)
        let changed = Set(former.columns.keys).union(columns.keys).filter {
            former.columns[$0]?.fingerprint != columns[$0]?.fingerprint
        }
        if !changed.isEmpty {
            return "shards with another \(changed.sorted().joined(separator: ", "))"
        }
        // A run that is finished needs neither averages nor its teacher any more.
        guard let last = steps().last, last < settings.steps else { return nil }
        if settings.emaDecay > 0, averagedWeights(last) == checkpoint(last) + "/model.safetensors" {
            return "no average of its weights"
        }
        guard let teacher = former.teacher else { return nil }
        let present = try RunDescription.Teacher(
            TrainedModel(path: settings.initialWeights.teacher()))
        return teacher.isSame(as: present) ? nil : "another model as its teacher"
    }

    /// - Throws: `LoopyError` `.mismatch` when a run that goes on had another model or schedule, or
    ///   saw other columns.
    func requireNoObstacle(to settings: TrainingSettings, _ source: TrainingSource) throws {
        guard let obstacle = try obstacle(to: settings, source) else { return }
        throw LoopyError(
            .mismatch,
            "\(path): was trained with \(obstacle); go on with what it had, or begin a new run "
                + "(--renew sets this one aside)")
    }

    /// Writes what the run is, and keeps the codec of its latents.
    func prepare(
        _ settings: TrainingSettings, _ source: TrainingSource, _ teacher: RunDescription.Teacher?,
        resuming: Bool
    ) throws {
        let isBegun = resuming && !steps().isEmpty
        let columns = source.columns(settings)
        try write(
            RunDescription(
                settings: settings, columns: columns,
                dataChanges: isBegun ? try description().dataChanges : [], teacher: teacher))
        if let codec = try source.codec(settings).flatMap(FileManager.default.contents) {
            try OutputFile.write([UInt8](codec), to: codecFile)
        }
    }

    /// Forgets what a run recorded of the steps after the one from which it goes on, and records how its
    /// data have changed there.
    func rewind(to step: Int, _ change: RunDescription.DataChange?) throws {
        try cutMetrics(after: step)
        var description = try description()
        let former = description.dataChanges
        description.dataChanges = former.filter { $0.step < step } + (change.map { [$0] } ?? [])
        if description.dataChanges != former { try write(description) }
    }
}

import Errors
import Foundation
import Storage

/// The directory of a training run.
///
///     run.json                    settings, the columns that the model sees, changes of the data
///     metrics.jsonl               a line now and then; events.out.tfevents.… the same for TensorBoard
///     samples/00001000.png        held-out windows as the model makes them at that step
///     codec.safetensors           of latents that were coded with a codec of Loopy's own
///     checkpoints/step-00001000/  model.safetensors, averages.safetensors, optimiser.safetensors,
///                                 state.json
///
/// A checkpoint is written under another name, synced, and renamed: it is there whole or not at all.
public struct RunDirectory: Sendable {
    public let path: String

    public init(_ path: String) { self.path = path }

    package var codecFile: String { path + "/codec.safetensors" }
    /// The lock of who trains it; beside it, because a run may be set aside.
    public var lockFile: String {
        let run = URL(fileURLWithPath: path)
        return run.deletingLastPathComponent()
            .appendingPathComponent(".\(run.lastPathComponent).lock").path
    }
    private var checkpointsFolder: String { path + "/checkpoints" }
    private var metricsFile: String { path + "/metrics.jsonl" }
    private var descriptionFile: String { path + "/run.json" }

    // MARK: Description

    /// Reads what was trained, and on what.
    ///
    /// - Throws: `LoopyError` `.missing` when there is no run, `.malformed` when it cannot be understood.
    public func description() throws -> RunDescription {
        guard FileManager.default.fileExists(atPath: descriptionFile) else {
            throw LoopyError(.missing, "\(path): holds no run of loopy-train (no run.json)")
        }
        return try RunDocument.read(
            RunDescription.self, from: descriptionFile, defaults: TrainingSettings())
    }

    package func write(_ description: RunDescription) throws {
        try JSONLines.writeDocument(description, to: descriptionFile)
    }

    /// Gives the run another name, RUN.1 or the next that is free, so that a new one can begin.
    ///
    /// - Returns: the new name.
    /// - Throws: `LoopyError` `.output`.
    public func setAside() throws -> String {
        let names = (1...).lazy.map { "\(path).\($0)" }
        let name = names.first { !FileManager.default.fileExists(atPath: $0) } ?? path
        guard rename(path, name) == 0 else {
            throw LoopyError.system(.output, "renaming it to \(name)", path)
        }
        return name
    }

    // MARK: Checkpoints

    /// The steps of which there is a checkpoint, in rising order.
    public func steps() -> [Int] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: checkpointsFolder)) ?? []
        return names.compactMap { name in
            name.hasPrefix("step-") ? Int(name.dropFirst("step-".count)) : nil
        }.sorted()
    }

    /// The folder of a checkpoint.
    public func checkpoint(_ step: Int) -> String {
        "\(checkpointsFolder)/step-\(Self.name(of: step))"
    }

    /// A step as names have it, in eight digits, so that the order of names is that of steps.
    private static func name(of step: Int) -> String {
        let digits = String(step)
        return String(repeating: "0", count: max(0, 8 - digits.count)) + digits
    }

    /// The file of a checkpoint's averaged weights, or of the weights themselves where none were
    /// averaged.
    public func averagedWeights(_ step: Int) -> String {
        let averages = checkpoint(step) + "/averages.safetensors"
        return FileManager.default.fileExists(atPath: averages)
            ? averages : checkpoint(step) + "/model.safetensors"
    }

    /// The folder of a checkpoint that is being written.
    func partialCheckpoint(_ step: Int) -> String { checkpointsFolder + "/partial-\(step)" }

    /// Removes what was begun by processes that are gone.
    func removePartialCheckpoints() {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: checkpointsFolder)) ?? []
        for name in names where name.hasPrefix("partial-") {
            try? FileManager.default.removeItem(atPath: checkpointsFolder + "/" + name)
        }
    }

    /// Gives a checkpoint that was written its name, unless there is one of this step, and removes the
    /// oldest ones.
    ///
    /// - Parameter kept: which checkpoints stay.
    /// - Throws: `LoopyError` `.output`.
    func commitCheckpoint(_ step: Int, keeping kept: TrainingSettings.Checkpoints) throws {
        let (partial, final) = (partialCheckpoint(step), checkpoint(step))
        guard !FileManager.default.fileExists(atPath: final) else {
            try? FileManager.default.removeItem(atPath: partial)
            return
        }
        guard rename(partial, final) == 0 else {
            throw LoopyError.system(.output, "renaming \(partial) to it", final)
        }
        Self.sync(checkpointsFolder)
        for old in steps().dropLast(kept.keep) where !kept.isMilestone(old) {
            try? FileManager.default.removeItem(atPath: checkpoint(old))
        }
    }

    /// Makes a rename outlast a loss of power.
    private static func sync(_ folder: String) {
        let descriptor = open(folder, O_RDONLY)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    /// Reads what a `CheckpointWriter` was given besides tensors.
    package func state<State: Decodable>(_ type: State.Type, of step: Int) throws -> State {
        try RunDocument.read(type, from: checkpoint(step) + "/state.json")
    }

    // MARK: Metrics

    /// The picture of what was sampled at a step.
    package func samples(_ step: Int) -> String {
        "\(path)/samples/\(Self.name(of: step)).png"
    }

    /// Forgets the metrics of the steps after one, which will be trained again.
    package func cutMetrics(after step: Int) throws {
        guard FileManager.default.fileExists(atPath: metricsFile) else { return }
        let text = try String(contentsOfFile: metricsFile, encoding: .utf8)
        // A line that was cut short when the power went is of such a step.
        let lines = text.split(separator: "\n").compactMap {
            try? JSONDecoder().decode(MetricsLine.self, from: Data($0.utf8))
        }
        try JSONLines.write(lines.filter { $0.step <= step }, to: metricsFile)
    }

    package func append(_ line: MetricsLine) throws {
        if !FileManager.default.fileExists(atPath: metricsFile) {
            try OutputFile.write([], to: metricsFile)
        }
        do {
            let file = try FileHandle(forWritingTo: URL(fileURLWithPath: metricsFile))
            try file.seekToEnd()
            try file.write(contentsOf: JSONLines.line(line))
            try file.close()
        } catch {
            throw LoopyError(
                .output, "writing failed (\(error.localizedDescription))", path: metricsFile)
        }
    }
}

/// A line of metrics.jsonl: means since the line before it, and the validation where it was due.
public struct MetricsLine: Codable, Sendable, Equatable {
    public var step: Int
    public var loss: Double?
    public var learningRate: Double?
    public var gradientNorm: Double?
    public var stepsPerSecond: Double?
    /// The share of the time that was spent waiting for data.
    public var waiting: Double?
    /// The loss on held-out windows, by the condition that the model goes without: "all" (conditions),
    /// "no_audio", …
    public var validation: [String: Double]?

    package init(step: Int) { self.step = step }

    private enum CodingKeys: String, CodingKey {
        case step, loss
        case learningRate = "learning_rate"
        case gradientNorm = "gradient_norm"
        case stepsPerSecond = "steps_per_second"
        case waiting, validation
    }
}

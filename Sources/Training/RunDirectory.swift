import Dataset
import Diffusion
import Errors
import Foundation
import LoopyModel
import Storage
import Torch
import Weights

/// The directory of a training run.
///
///     run.json                    settings, and the columns that the model sees
///     metrics.jsonl               a line now and then; events.out.tfevents.… the same for TensorBoard
///     codec.safetensors           of latents that were coded with principal components
///     checkpoints/step-00001000/  model.safetensors, averages.safetensors, optimiser.safetensors,
///                                 state.json
///
/// A checkpoint is written under another name, synced, and renamed: it is there whole or not at all.
public struct RunDirectory: Sendable {
    public let path: String

    public init(_ path: String) { self.path = path }

    var checkpointsFolder: String { path + "/checkpoints" }
    var metricsFile: String { path + "/metrics.jsonl" }
    public var codecFile: String { path + "/codec.safetensors" }
    private var runFile: String { path + "/run.json" }

    /// What was trained, and on what.
    public struct Description: Codable, Sendable {
        public var settings: TrainingSettings
        /// Those columns of the dataset that the model sees, where its producer says what they are.
        public var columns: [String: Catalogue.Column]
    }

    /// - Throws: `LoopyError` when there is no run, or it cannot be understood.
    public func description() throws -> Description {
        guard FileManager.default.fileExists(atPath: runFile) else {
            throw LoopyError(.missing, "\(path): holds no run of loopy-train (no run.json)")
        }
        return try JSONLines.readDocument(Description.self, from: runFile)
    }

    func write(_ description: Description) throws {
        try JSONLines.writeDocument(description, to: runFile)
    }

    // MARK: Checkpoints

    /// Where a run stands, besides its weights.
    struct State: Codable {
        var step: Int
        var schedule: NoiseSchedule.Settings
        var stream: WindowStream.State
        /// Seconds spent training.
        var seconds: Double
    }

    /// Steps of which there is a checkpoint, rising.
    public func steps() -> [Int] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: checkpointsFolder)) ?? []
        return names.compactMap { name in
            name.hasPrefix("step-") ? Int(name.dropFirst("step-".count)) : nil
        }.sorted()
    }

    public func checkpoint(_ step: Int) -> String {
        let digits = String(step)
        let padding = String(repeating: "0", count: max(0, 8 - digits.count))
        return "\(checkpointsFolder)/step-\(padding)\(digits)"
    }

    /// Writes a checkpoint, and removes the oldest beyond `keep`.
    ///
    /// - Parameters:
    ///   - files: tensors by file name.
    /// - Throws: `LoopyError` `.output`.
    func save(
        _ state: State, _ files: [(name: String, tensors: [(name: String, tensor: Tensor)])],
        keep: Int
    ) throws {
        let final = checkpoint(state.step)
        let partial = checkpointsFolder + "/partial-\(state.step)"
        try? FileManager.default.removeItem(atPath: partial)
        for (name, tensors) in files {
            let file = try OutputFile(partial + "/" + name)
            try SafeTensors.write(tensors: tensors, metadata: ["format": "pt"]) {
                try file.write($0)
            }
            try file.commit()
        }
        try JSONLines.writeDocument(state, to: partial + "/state.json")
        guard rename(partial, final) == 0 else {
            throw LoopyError(.output, "\(final): cannot be given its name (errno \(errno))")
        }
        Self.sync(checkpointsFolder)
        for old in steps().dropLast(keep) {
            try? FileManager.default.removeItem(atPath: checkpoint(old))
        }
    }

    /// So that a rename outlasts a loss of power.
    private static func sync(_ folder: String) {
        let descriptor = open(folder, O_RDONLY)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    func state(_ step: Int) throws -> State {
        try JSONLines.readDocument(State.self, from: checkpoint(step) + "/state.json")
    }

    /// Forgets the metrics of steps after one, which will be trained again.
    func cutMetrics(after step: Int) throws {
        guard FileManager.default.fileExists(atPath: metricsFile) else { return }
        let text = try String(contentsOfFile: metricsFile, encoding: .utf8)
        // A line that was cut short when the power went is of such a step.
        let lines = text.split(separator: "\n").compactMap {
            try? JSONDecoder().decode(MetricsLine.self, from: Data($0.utf8))
        }
        try JSONLines.write(lines.filter { $0.step <= step }, to: metricsFile)
    }

    func append(_ line: MetricsLine) throws {
        if !FileManager.default.fileExists(atPath: metricsFile) {
            try OutputFile.write([], to: metricsFile)
        }
        do {
            let file = try FileHandle(forWritingTo: URL(fileURLWithPath: metricsFile))
            try file.seekToEnd()
            try file.write(contentsOf: JSONLines.line(line))
            try file.close()
        } catch {
            throw LoopyError(.output, "\(metricsFile): \(error.localizedDescription)")
        }
    }
}

/// A line of metrics.jsonl: means since the line before it, and what was validated.
public struct MetricsLine: Codable, Sendable, Equatable {
    public var step: Int
    public var loss: Double?
    public var learningRate: Double?
    public var gradientNorm: Double?
    public var stepsPerSecond: Double?
    /// Share of the time spent waiting for data.
    public var waiting: Double?
    /// Loss on held-out windows, by what the model goes without: "all", "no_audio", …
    public var validation: [String: Double]?

    init(step: Int) { self.step = step }

    private enum CodingKeys: String, CodingKey {
        case step, loss
        case learningRate = "learning_rate"
        case gradientNorm = "gradient_norm"
        case stepsPerSecond = "steps_per_second"
        case waiting, validation
    }
}

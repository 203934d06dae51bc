import Dataset
import Diffusion
import Errors
import Foundation
import LoopyModel
import Storage
import Torch
import Weights

/// A model that was trained: what it is, what it was trained on, and where its weights are.
public struct TrainedModel: Sendable {
    /// What `config.json` of an export holds.
    public struct Description: Codable, Sendable {
        public var model: LoopyConfiguration
        public var schedule: NoiseSchedule.Settings
        /// The dataset's columns that the model was trained on, which say how speech is encoded and
        /// pictures are coded; none where the shards' producer does not say.
        public var columns: [String: Catalogue.Column]
        /// The number of steps that it was trained for.
        public var step: Int
        /// How videos are sampled from it, unless a user says otherwise.
        public var sampling: SamplingSettings
    }

    public let description: Description
    /// The run or the folder, for messages.
    public let path: String
    /// The file of the principal components, where latents are coded with them.
    public let codecFile: String?
    /// The files of weights; a later one's replace an earlier one's of the same name.
    let files: [String]

    /// Finds a checkpoint of a run.
    ///
    /// - Parameters:
    ///   - step: the checkpoint's step; the last one's when left out.
    ///   - averaged: whether averaged weights are taken where there are some.
    /// - Throws: `LoopyError` `.missing` when the run has no such checkpoint.
    public init(_ run: RunDirectory, step: Int? = nil, averaged: Bool = true) throws {
        let known = run.steps()
        let description = try run.description()
        guard let step = step ?? known.last, known.contains(step) else {
            throw LoopyError(
                .missing,
                "\(run.path): has no checkpoint" + (step.map { " of step \($0)" } ?? "")
                    + (known.isEmpty ? "" : "; there are \(known)"))
        }
        path = run.path
        self.description = Description(
            model: description.settings.model, schedule: description.settings.schedule,
            columns: description.columns, step: step,
            sampling: description.settings.samplingOfModel)
        let weights = run.checkpoint(step) + "/model.safetensors"
        files =
            averaged && run.averagedWeights(step) != weights
            ? [weights, run.averagedWeights(step)] : [weights]
        codecFile = Self.existing(run.codecFile)
    }

    /// Finds what `loopy-train export` wrote.
    ///
    /// - Throws: `LoopyError` `.missing` when the folder holds something else.
    public init(folder: String) throws {
        let file = folder + "/config.json"
        guard FileManager.default.fileExists(atPath: file) else {
            throw LoopyError(
                .missing,
                "\(folder): holds no exported model (no config.json); loopy-train export writes one"
            )
        }
        path = folder
        let settings = TrainingSettings()
        description = try RunDocument.read(
            Description.self, from: file,
            over: Description(
                model: settings.model, schedule: settings.schedule, columns: [:], step: 0,
                sampling: settings.sampling))
        files = [folder + "/model.safetensors"]
        codecFile = Self.existing(folder + "/codec.safetensors")
    }

    /// Finds the last checkpoint of a run, with averaged weights where there are some, or what `loopy-train
    /// export` wrote.
    ///
    /// - Throws: `LoopyError` `.missing` when the path is that of something else.
    public init(path: String) throws {
        let run = RunDirectory(path)
        self = try run.steps().isEmpty ? TrainedModel(folder: path) : TrainedModel(run)
    }

    private static func existing(_ path: String) -> String? {
        FileManager.default.fileExists(atPath: path) ? path : nil
    }

    /// Reads all weights, in the order of their names.
    public func weights() throws -> [(name: String, tensor: Tensor)] {
        let checkpoints = try files.map { try Checkpoint($0) }
        guard let all = checkpoints.first else { return [] }
        return all.names.sorted().compactMap { name in
            let stored = checkpoints.reversed().lazy.compactMap { $0.tensor(name) }.first
            return stored.map { (name, Tensor($0)) }
        }
    }

    /// Makes the model, with its weights.
    ///
    /// - Parameter precision: the precision that it will compute in. Weights of products and convolutions
    ///   are cast to it once, where autocast would cast them in every pass.
    /// - Throws: `LoopyError` `.mismatch` when a weight is missing; what is wrong with the files.
    public func load(
        on device: Device, precision: ComputePrecision = .float32
    ) throws -> LoopyNet {
        let store = try Self.store(on: device, precision: precision)
        let model = try LoopyNet(store.root, description.model)
        var covered: Set<String> = []
        for file in files { covered.formUnion(try store.assign(Checkpoint(file))) }
        guard let missing = store.names.first(where: { !covered.contains($0) }) else {
            return model
        }
        throw LoopyError(
            .mismatch, "\(files[0]): lacks the weight '\(missing)' of the model that it describes")
    }

    /// A store of drawn weights, in the types in which a model computes with them.
    package static func store(on device: Device, precision: ComputePrecision) throws
        -> ParameterStore
    {
        ParameterStore(drawing: try Generator(seed: 0, device: device)) { name in
            precision == .bfloat16 && isOfProduct(name) ? .bfloat16 : .float32
        }
    }

    /// Whether a weight is a linear layer's or a convolution's, which autocast would cast.
    private static func isOfProduct(_ name: String) -> Bool {
        let parts = name.split(separator: ".")
        guard let last = parts.last, last == "weight" || last == "bias" else { return false }
        return !parts.contains { $0.contains("norm") }
    }

    /// The SHA-256 digests of the files of weights, by name.
    public func digests() throws -> [String: String] {
        var digests: [String: String] = [:]
        for file in files {
            digests[(file as NSString).lastPathComponent] = try Digest.ofFile(file)
        }
        return digests
    }
}

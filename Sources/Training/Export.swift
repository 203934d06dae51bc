import Dataset
import Diffusion
import Foundation
import LoopyModel
import Torch
import Weights

/// Weights for use elsewhere, in a folder:
///
///     config.json         the model, the noise schedule, how latents are coded
///     model.safetensors   all weights, the averaged ones where there are any
///     codec.safetensors   where latents are principal components
///     unet/               the denoising net's weights under diffusers' names, without what was added
public struct Export {
    /// What `config.json` holds.
    public struct Configuration: Codable, Sendable {
        public var model: LoopyConfiguration
        public var schedule: NoiseSchedule.Settings
        public var latents: [String: String]
        public var step: Int
    }

    /// - Parameters:
    ///   - step: of the checkpoint; the last when left out.
    ///   - averaged: whether averaged weights are taken where there are some.
    /// - Returns: the step.
    /// - Throws: `DatasetError` when the run has no such checkpoint, or the folder cannot be written.
    @discardableResult
    public static func write(
        _ run: RunDirectory, step: Int? = nil, averaged: Bool = true, to folder: String
    ) throws -> Int {
        let description = try run.description()
        let known = run.steps()
        guard let step = step ?? known.last, known.contains(step) else {
            throw DatasetError(
                .missing,
                "\(run.path): has no checkpoint" + (step.map { " of step \($0)" } ?? "")
                    + (known.isEmpty ? "" : "; there are \(known)"))
        }
        let weights = try loadWeights(run, step, averaged: averaged)
        try write(weights, to: folder + "/model.safetensors")
        let prefix = "denoising_net."
        let added = ["inter_clip.", "intra_clip.", "audio_"]
        let plain = weights.filter { name, _ in
            name.hasPrefix(prefix) && !added.contains { name.contains("." + $0) }
        }
        try write(
            plain.map { (String($0.name.dropFirst(prefix.count)), $0.tensor) },
            to: folder + "/unet/diffusion_pytorch_model.safetensors")
        if let codec = FileManager.default.contents(atPath: run.codecFile) {
            try OutputFile.write([UInt8](codec), to: folder + "/codec.safetensors")
        }
        let settings = description.settings
        try JSONLines.writeDocument(
            Configuration(
                model: settings.model, schedule: settings.schedule, latents: description.latents,
                step: step), to: folder + "/config.json")
        return step
    }

    /// All weights of a checkpoint; averages cover those that were trained.
    private static func loadWeights(
        _ run: RunDirectory, _ step: Int, averaged: Bool
    ) throws -> [(name: String, tensor: Tensor)] {
        let model = try Checkpoint(run.checkpoint(step) + "/model.safetensors")
        let averages = averaged ? try Checkpoint(run.bestWeights(step)) : model
        return model.names.sorted().compactMap { name in
            let stored = averages.tensor(name) ?? model.tensor(name)
            return stored.map { (name, Tensor($0)) }
        }
    }

    private static func write(
        _ tensors: [(name: String, tensor: Tensor)], to path: String
    ) throws {
        let file = try OutputFile(path)
        try SafeTensors.write(tensors: tensors, metadata: ["format": "pt"]) { try file.write($0) }
        try file.commit()
    }
}

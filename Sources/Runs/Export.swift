import Foundation
import Storage
import Torch
import Weights

/// Weights for use elsewhere, in a folder:
///
///     config.json         the model, the noise schedule, how speech and latents are coded
///     model.safetensors   all weights, the averaged ones where there are any
///     codec.safetensors   where latents are principal components
///     unet/               the denoising net's weights under diffusers' names, without what was added
public enum Export {
    /// - Throws: `LoopyError` when the folder cannot be written; what is wrong with the weights.
    public static func write(_ model: TrainedModel, to folder: String) throws {
        let weights = try model.weights()
        try SafeTensors.write(tensors: weights, toFile: folder + "/model.safetensors")
        let prefix = "denoising_net."
        let added = ["inter_clip.", "intra_clip.", "audio_"]
        let plain = weights.filter { name, _ in
            name.hasPrefix(prefix) && !added.contains { name.contains("." + $0) }
        }
        try SafeTensors.write(
            tensors: plain.map { (String($0.name.dropFirst(prefix.count)), $0.tensor) },
            toFile: folder + "/unet/diffusion_pytorch_model.safetensors")
        if let codec = model.codecFile.flatMap(FileManager.default.contents) {
            try OutputFile.write([UInt8](codec), to: folder + "/codec.safetensors")
        }
        try JSONLines.writeDocument(model.description, to: folder + "/config.json")
    }
}

import Diffusion
import Foundation
import Storage
import Torch
import Weights

/// Weights for use elsewhere, in a folder:
///
///     config.json         the model, the noise schedule, how speech and latents are coded
///     model.safetensors   all weights under Loopy's names, the averaged ones where there are any
///     codec.safetensors   where latents are coded with a codec of Loopy's own
///     unet/               the denoising net, as a U-Net that diffusers opens
///     reference_net/      the reference net, likewise
///     README.md           what the two U-Nets hold, and what they lack
public enum Export {
    /// - Parameters:
    ///   - isHalf: whether `model.safetensors` is in half precision.
    ///   - isForDiffusers: whether the two U-Nets are written.
    /// - Throws: `LoopyError` when the folder cannot be written; what is wrong with the weights.
    public static func write(
        _ model: TrainedModel, to folder: String, isHalf: Bool = false, isForDiffusers: Bool = true
    ) throws {
        let weights = try model.weights()
        try SafeTensors.write(
            tensors: weights.map { ($0.name, isHalf ? $0.tensor.to(.float16) : $0.tensor) },
            toFile: folder + "/model.safetensors")
        var description = model.description
        if let codec = model.codecFile.flatMap(FileManager.default.contents) {
            try OutputFile.write([UInt8](codec), to: folder + "/codec.safetensors")
            // The folder goes to other machines, where the dataset's path means nothing.
            if let settings = description.columns["latents"]?.settings {
                description.columns["latents"]?.settings = settings.updated(
                    with: .object(["weights": .string("codec.safetensors")]))
            }
        }
        try JSONLines.writeDocument(description, to: folder + "/config.json")
        guard isForDiffusers else { return }
        let nets = model.description.model
        try writeUNet(weights, of: "denoising_net.", nets.denoisingUNet, to: folder + "/unet")
        try writeUNet(weights, of: "reference_net.", nets.unet, to: folder + "/reference_net")
        try OutputFile.write(Array(readme.utf8), to: folder + "/README.md")
    }

    /// Writes one of the two nets in diffusers' layout. What the net lacks is added so that it changes
    /// nothing; what it has besides stays in `model.safetensors`.
    private static func writeUNet(
        _ weights: [(name: String, tensor: Tensor)], of prefix: String,
        _ configuration: UNetConfiguration, to folder: String
    ) throws {
        var configuration = configuration
        configuration.textChannels = UNetConfiguration().textChannels
        let store = ParameterStore.describing()
        _ = PlainUNet(store.root, configuration)
        let trained = Dictionary(
            uniqueKeysWithValues: weights.filter { $0.name.hasPrefix(prefix) }.map {
                (String($0.name.dropFirst(prefix.count)), $0.tensor)
            })
        let generator = try Generator(seed: 0)
        let tensors = store.parameters.map { name, described in
            (name, trained[name] ?? added(name, described.shape, generator))
        }
        try SafeTensors.write(
            tensors: tensors, toFile: folder + "/diffusion_pytorch_model.safetensors")
        try OutputFile.write(configuration.published(), to: folder + "/config.json")
    }

    /// A weight of diffusers' U-Net that a net of Loopy's lacks. Text attention ends in zeros, and so
    /// does the reference net, which has no output; what stands before is drawn, so that training can
    /// go on from there.
    private static func added(_ name: String, _ shape: [Int], _ generator: Generator) -> Tensor {
        if name.contains("norm") { return name.hasSuffix("weight") ? .ones(shape) : .zeros(shape) }
        let isProjection = ["to_q", "to_k", "to_v"].contains { name.contains(".attn2." + $0) }
        guard isProjection, let inputs = shape.last else { return .zeros(shape) }
        let bound = 1 / Double(inputs).squareRoot()
        return Tensor.uniform(shape, generator: generator) * (2 * bound) - bound
    }

    private static let readme = """
        # A model trained by Loopy

        `config.json` and `model.safetensors` are the whole model under Loopy's names;
        `loopy-generate --weights` takes this folder.

        `unet/` and `reference_net/` are its two U-Nets in the layout of diffusers:

            UNet2DConditionModel.from_pretrained(FOLDER, subfolder="unet")

        - Loopy has no text attention: audio attention stands in its place. `attn2` is there because
          diffusers needs it, and its output projections are zero: any text, or zeros of the shape
          [batch, tokens, 768], changes nothing. `unet/` computes what the denoising net computes
          without a reference, motion frames and audio. Where it has twice as many input channels as the
          latents, the reference image's latents, or zeros, come behind the noisy ones.
        - The modules that Loopy adds are in `model.safetensors` alone: `inter_clip`, `intra_clip`,
          `audio_norm` and `audio_attn` in `denoising_net`, `audio_embedding`, `audio_to_latents`.
        - `reference_net/` gives features, not a prediction: its `conv_out` is zero.

        """
}

extension SafeTensors {
    /// Writes a file that PyTorch's users can open, whole or not at all.
    fileprivate static func write(
        tensors: [(name: String, tensor: Tensor)], toFile path: String
    ) throws {
        let file = try OutputFile(path)
        try write(tensors: tensors, metadata: ["format": "pt"]) { try file.write($0) }
        try file.commit()
    }
}

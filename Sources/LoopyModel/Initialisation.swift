import Diffusion
import Errors
import Foundation
import Torch
import Weights

// Where the weights of a new model come from (section 3.1, "uses its initialization weights"; section
// 3.4, "Multistage Training"). The store holds the model's weights as they were drawn; these overwrite
// what they have.
extension ParameterStore {
    /// Begins both nets with Stable Diffusion's U-Net. Its text attention is left out, and in the
    /// reference net its last convolution.
    ///
    /// - Parameter folder: a published `unet` folder, or that of a whole Stable Diffusion.
    /// - Throws: `LoopyError` when it is of another shape than the model; `LoopyError` and
    ///   `LoopyError` for files that cannot be used.
    public func beginWithStableDiffusion(
        _ folder: String, _ configuration: LoopyConfiguration
    ) throws {
        let inner = folder + "/unet"
        let folder = FileManager.default.fileExists(atPath: inner) ? inner : folder
        var published = try UNetConfiguration(contentsOf: folder + "/config.json")
        published.textChannels = nil
        guard published == configuration.unet else {
            throw LoopyError(
                .configuration,
                "\(folder): is a U-Net of another shape than the model's (channels "
                    + "\(published.channels), \(published.inputChannels) in the latents; the model has "
                    + "\(configuration.channels) and \(configuration.latentChannels))")
        }
        let checkpoint = try Checkpoint(folder)
        func hasText(_ name: String) -> Bool {
            name.contains(".attn2.") || name.contains(".transformer_blocks.0.norm2.")
        }
        try assign(checkpoint) { name in hasText(name) ? nil : "denoising_net." + name }
        try assign(checkpoint) { name in
            let isOutput = name.hasPrefix("conv_norm_out.") || name.hasPrefix("conv_out.")
            return hasText(name) || isOutput ? nil : "reference_net." + name
        }
    }

    /// Begins the second stage of training with the nets of the first.
    ///
    /// - Parameter path: a model of the first stage.
    /// - Throws: `LoopyError` and `LoopyError` for files that cannot be used.
    public func beginWithFirstStage(_ path: String) throws { try assign(Checkpoint(path)) }

    /// Begins the intra-clip layers with AnimateDiff's motion modules, as they were published for Stable
    /// Diffusion 1.5 (`mm_sd_v15_v2.ckpt`; those of other versions have none in the middle). Of their
    /// positions the first F are taken.
    ///
    /// The layers are then no longer the identity: they move pictures as AnimateDiff does.
    ///
    /// - Throws: `LoopyError` and `LoopyError` for files that cannot be used.
    public func beginWithAnimateDiff(_ path: String, _ configuration: LoopyConfiguration) throws {
        let checkpoint = try Checkpoint(path)
        var positions: [(stored: String, name: String)] = []
        try assign(checkpoint) { stored in
            let name = Self.intraClipName(stored)
            guard name.hasSuffix(".pos_encoder.pe") else { return name }
            positions.append((stored, name))
            return nil
        }
        for (stored, name) in positions {
            guard let table = checkpoint.tensor(stored).map({ Tensor($0) }), let own = self[name],
                table.rank == 3, table.length(1) >= configuration.frames,
                table.length(2) == own.length(2)
            else {
                throw LoopyError(
                    .malformed,
                    "\(path): \(stored) is no table of \(configuration.frames) positions or more")
            }
            withoutGradient { own.assign(table[.all, ..<configuration.frames]) }
        }
    }

    /// `down_blocks.0.motion_modules.1.temporal_transformer.norm.weight` to
    /// `denoising_net.down_blocks.0.intra_clip.1.norm.weight`.
    private static func intraClipName(_ stored: String) -> String {
        "denoising_net."
            + stored.replacingOccurrences(of: "module.", with: "", options: .anchored)
            .replacingOccurrences(of: ".motion_modules.", with: ".intra_clip.")
            .replacingOccurrences(of: ".temporal_transformer.", with: ".")
    }
}

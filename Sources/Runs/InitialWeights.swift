import Diffusion
import Errors
import Foundation
import LoopyModel
import Settings
import Torch
import Weights

// Where the weights of a new model come from (section 3.1, "uses its initialization weights"; section
// 3.4, "Multistage Training"). The store holds the model's weights as they were drawn; these overwrite
// what they have.
extension ParameterStore {
    /// The convolution that a model has with more input channels whose denoising net sees the reference image.
    private static let denoisingInput = "denoising_net.conv_in.weight"

    /// Loads every checkpoint that the settings name, one over the other.
    ///
    /// - Throws: `LoopyError` `.configuration` for a name that nothing can be found under; what is wrong
    ///   with the files.
    public func load(
        _ weights: TrainingSettings.InitialWeights, for configuration: LoopyConfiguration
    ) throws {
        if configuration.stage == .distilled {
            return try loadModel(from: weights.teacher(), for: configuration)
        }
        if !weights.stableDiffusion.isEmpty {
            try loadStableDiffusion(
                from: weights.path(weights.stableDiffusion, "stable_diffusion"), for: configuration)
        }
        if !weights.model.isEmpty {
            try loadModel(from: weights.path(weights.model, "model"), for: configuration)
        }
        if !weights.firstStage.isEmpty { try loadFirstStage(from: weights.firstStage) }
        if !weights.animateDiff.isEmpty, configuration.stage == .video {
            try loadAnimateDiff(
                from: weights.path(weights.animateDiff, "animate_diff"), for: configuration)
        }
    }

    /// Loads Stable Diffusion's U-Net into both nets, without its text attention, and in the reference
    /// net without its last convolution.
    ///
    /// - Parameter folder: a published `unet` folder, or that of a whole Stable Diffusion.
    /// - Throws: `LoopyError` `.configuration` when the U-Net has another shape than the model; what is
    ///   wrong with the files.
    public func loadStableDiffusion(
        from folder: String, for configuration: LoopyConfiguration
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
        try assign(checkpoint, widened: Self.denoisingInput) { name in
            hasText(name) ? nil : "denoising_net." + name
        }
        try assign(checkpoint) { name in
            let isOutput = name.hasPrefix("conv_norm_out.") || name.hasPrefix("conv_out.")
            return hasText(name) || isOutput ? nil : "reference_net." + name
        }
    }

    /// Loads a model of the same shape, or one whose denoising net does not see the reference image; into one of
    /// the first stage, the part that it has.
    ///
    /// - Parameter path: a run, whose averaged weights are taken, or a folder that `loopy-train export`
    ///   wrote.
    /// - Throws: `LoopyError` `.malformed` for a model of another shape; what is wrong with the files.
    public func loadModel(from path: String, for configuration: LoopyConfiguration) throws {
        for file in try TrainedModel(path: path).files {
            try assign(Checkpoint(file), widened: Self.denoisingInput) { name in
                configuration.stage == .image && self[name] == nil ? nil : name
            }
        }
    }

    /// Loads the nets of the first stage of training into a model of the second.
    ///
    /// - Parameter path: a run of the first stage, whose averaged weights are taken, or a file of weights.
    /// - Throws: what is wrong with the file.
    public func loadFirstStage(from path: String) throws {
        let run = RunDirectory(path)
        let files = try run.steps().isEmpty ? [path] : TrainedModel(run).files
        for file in files { try assign(Checkpoint(file), widened: Self.denoisingInput) }
    }

    /// Loads AnimateDiff's motion modules into the intra-clip layers, as they were published for Stable
    /// Diffusion 1.5 (`mm_sd_v15_v2.ckpt`; those of other versions have none in the middle). Of their
    /// positions the first F are taken.
    ///
    /// The layers are then no longer the identity: they move pictures as AnimateDiff does.
    ///
    /// - Throws: `LoopyError` `.malformed` for positions of another shape; what is wrong with the file.
    public func loadAnimateDiff(
        from path: String, for configuration: LoopyConfiguration
    ) throws {
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

extension TrainingSettings.InitialWeights {
    /// The path of what a setting names.
    ///
    /// - Throws: `LoopyError` `.configuration` where nothing is there.
    fileprivate func path(_ name: String, _ setting: String) throws -> String {
        if let path = try ModelManifest.resolve(name) { return path }
        throw LoopyError(
            .configuration,
            "train.initial_weights.\(setting): '\(name)' is not here; `loopy models` says where it is "
                + "published and where to put it")
    }

    /// The path of the model from which a distilled one learns: a run, or an exported model.
    ///
    /// - Throws: `LoopyError` `.configuration` where none is named, or nothing is there.
    public func teacher() throws -> String {
        if !firstStage.isEmpty { return firstStage }
        guard !model.isEmpty else {
            throw LoopyError(
                .configuration,
                "train.initial_weights.model: a distilled model learns from a model of the stage video: name "
                    + "its run or its folder here, or by --first-stage")
        }
        return try path(model, "model")
    }
}

import Dataset
import Diffusion
import Errors
import Foundation
import Settings
import Storage
import Torch
import Weights

/// Settings of the column `latents`.
public struct LatentsSettings: ColumnSettings {
    public enum Codec: String, Codable, Sendable, CaseIterable {
        /// Principal components of patches, which need no weights: fitted on the dataset's own pictures.
        case patchPCA = "patch-pca"
        /// Stable Diffusion's `AutoencoderKL`.
        case autoencoder
    }

    public var codec = Codec.patchPCA
    /// Of the autoencoder: a folder in the diffusers layout, or a name in Manifests/models.yaml;
    /// stable-diffusion-v1-5/vae when left out. Of patch-pca: the codec's file, of another dataset for
    /// example; fitted on this one when left out.
    public var weights = ""
    /// Of the stored numbers.
    public var dtype = SpeechSettings.ElementName.float16
    /// Pictures are brought to this side first; 0 leaves them as they are.
    public var side = 0
    /// Of patch-pca, where it is fitted: pixels along a patch's side, and channels of the latents.
    public var patch = 8
    public var channels = 16
    /// Where it is computed: "cpu", "cuda:0".
    public var device = "cpu"

    public init() {}
}

extension LatentsSettings {
    /// The codec, outside of a dataset, and the digests of its files by name.
    ///
    /// - Throws: `LoopyError` `.configuration` for settings that cannot be used; what is wrong with
    ///   weights.
    public func makeCodec() throws -> (codec: any LatentCodec, networks: [String: String]) {
        let source = try codecSource()
        return (try source.codec.get(), source.networks)
    }

    /// A codec that is loaded when it is first needed, and what identifies its output.
    struct CodecSource {
        var channels: Int
        var factor: Int
        var networks: [String: String]
        var codec: Lazily<any LatentCodec>
    }

    /// The file of `patch-pca`: one that was fitted lies in its dataset; a name that a user gave is
    /// relative to where the command runs. Nil for the autoencoder, and where there is no file yet.
    public func codecFile(in dataset: DatasetDirectory?) -> String? {
        guard codec == .patchPCA, !weights.isEmpty else { return nil }
        guard let dataset, weights.hasPrefix(CodecFitting.folder) else { return weights }
        return dataset.path + "/" + weights
    }

    func codecSource(in dataset: DatasetDirectory? = nil) throws -> CodecSource {
        switch codec {
        case .autoencoder:
            let device = try Device(self.device)
            let folder = AutoencoderKL.folder(try autoencoderFolder())
            let configuration = try AutoencoderConfiguration(
                contentsOf: folder + "/config.json")
            var networks = ["config": try Digest.ofFile(folder + "/config.json")]
            for file in try Checkpoint(folder).files {
                networks[(file as NSString).lastPathComponent] = try Digest.ofFile(file)
            }
            return CodecSource(
                channels: configuration.latentChannels, factor: configuration.factor,
                networks: networks,
                codec: Lazily { try AutoencoderKL(folder: folder, device: device) })
        case .patchPCA:
            guard let path = codecFile(in: dataset) else {
                throw LoopyError(
                    .configuration,
                    "extract.latents.weights: codec patch-pca is fitted on a dataset's pictures; for a "
                        + "single file give the codec's file, DATASET/codecs/….safetensors")
            }
            let codec = try PatchPCA(Checkpoint(path))
            return CodecSource(
                channels: codec.channels, factor: codec.factor,
                networks: ["codec": try Digest.ofFile(path)], codec: Lazily { codec })
        }
    }

    private func autoencoderFolder() throws -> String {
        let name = weights.isEmpty ? "stable-diffusion-v1-5/vae" : weights
        if let folder = try ModelManifest.resolve(name) { return folder }
        throw LoopyError(
            .configuration,
            "extract.latents.weights: '\(name)' is not here; `loopy models` says where it is published "
                + "and where to put it. codec: patch-pca needs no weights")
    }
}

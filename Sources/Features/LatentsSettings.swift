import Dataset
import Diffusion
import Errors
import Foundation
import Settings
import Storage
import Torch
import Weights

/// Settings of the column `latents`.
public struct LatentsSettings: DescribedSettings {
    public enum Codec: String, Codable, Sendable, CaseIterable {
        /// Principal components of patches, which need no weights: fitted on the dataset's own pictures.
        case patchPCA = "patch-pca"
        /// A small autoencoder: fitted on the dataset's own pictures, all of it or its decoder.
        case compactAutoencoder = "compact-autoencoder"
        /// Stable Diffusion's `AutoencoderKL`.
        case autoencoder
    }

    public var codec = Codec.patchPCA
    public var weights = ""
    public var dtype = SpeechSettings.ElementName.float16
    public var side = 0
    public var patch = 8
    public var channels = 16
    public var fitSteps = 0
    public var device = "cpu"

    public init() {}

    public static var settings: [Setting<LatentsSettings>] {
        [
            .choice(
                "codec", \.codec,
                "The codec: principal components of patches, which need no weights and are fitted on "
                    + "the dataset's own pictures; a small autoencoder, fitted likewise in fit_steps "
                    + "steps; or Stable Diffusion's AutoencoderKL."),
            .text(
                "weights", \.weights, "a path, or a name in Manifests/models.yaml",
                mayBeEmpty: true,
                "The weights. For the autoencoder a folder in the diffusers layout, "
                    + "stable-diffusion-v1-5/vae where it is empty; for the others the codec's file, of "
                    + "another dataset for example, which is fitted where it is empty."),
            .choice("dtype", \.dtype, "The type of the stored numbers."),
            .number(
                "side", \.side, in: 0...4096, unit: "pixels",
                "The side to which pictures are brought first; 0 leaves them as they are."),
            .number(
                "patch", \.patch, in: 1...32, unit: "pixels",
                "The side of a patch, where patch-pca is fitted."),
            .number(
                "channels", \.channels, in: 1...3072,
                "The channels of the latents, where a codec is fitted."),
            .number(
                "fit_steps", \.fitSteps, in: 0...1_000_000, unit: "steps",
                "The steps for which compact-autoencoder is fitted on the dataset's pictures: all of "
                    + "it where weights is empty, and its decoder alone where they are given, so that "
                    + "latents stay what they are."),
            .device("device", \.device, "The device that encodes."),
        ]
    }

    public var conflict: String? {
        let most = 3 * patch * patch
        if codec == .patchPCA, weights.isEmpty, channels > most {
            return "channels: \(channels) are more than the \(most) values of a patch"
        }
        return codec == .compactAutoencoder && weights.isEmpty && fitSteps == 0
            ? "fit_steps: is 0, and compact-autoencoder has no weights without being fitted" : nil
    }
}

extension LatentsSettings {
    /// The folder of a dataset in which codecs lie that were fitted on it.
    public static let fittedFolder = "codecs/"

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

    /// The file of a codec of Loopy's own: one that was fitted lies in its dataset; a name that a user
    /// gave is relative to where the command runs, or one of Manifests/models.yaml. Nil for the
    /// autoencoder, and where there is no file yet.
    public func codecFile(in dataset: DatasetDirectory?) -> String? {
        guard codec != .autoencoder, !weights.isEmpty else { return nil }
        guard let dataset, weights.hasPrefix(CodecFitting.folder) else {
            return (try? ModelManifest.resolve(weights)) ?? weights
        }
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
        case .patchPCA, .compactAutoencoder:
            guard let path = codecFile(in: dataset) else {
                throw LoopyError(
                    .configuration,
                    "extract.latents.weights: codec \(self.codec.rawValue) is fitted on a dataset's "
                        + "pictures; for a single file give the codec's file, "
                        + "DATASET/codecs/….safetensors")
            }
            let codec: any LatentCodec =
                self.codec == .patchPCA
                ? try PatchPCA(Checkpoint(path))
                : try CompactAutoencoder(Checkpoint(path), device: Device(self.device))
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

import Dataset
import Diffusion
import Errors
import Foundation
import Media
import Settings
import Storage
import Torch
import Weights

/// Settings of the column `latents`.
public struct LatentsSettings: Codable, Sendable {
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

/// The column `latents`: what the diffusion model works on, `[T, C, h, w]`: every frame of a clip, coded.
enum LatentsColumn {
    static let version = 1

    /// - Parameters:
    ///   - dataset: whose pictures a codec may be fitted on; nil outside of any.
    ///   - side: of the clips' pictures; nil where it is not known.
    /// - Throws: `LoopyError` `.configuration` for settings that cannot be used; what is wrong with
    ///   weights.
    static func recipe(
        _ settings: LatentsSettings, dataset: DatasetDirectory?, side: Int?, threads: Int
    ) throws -> ColumnRecipe {
        let codec = try codecRecipe(settings, dataset, threads: threads)
        let device = try Device(settings.device)
        let element = settings.dtype == .float16 ? NumPyElement.float16 : .float32
        var facts = ["channels": codec.channels, "factor": codec.factor]
        if let side = settings.side > 0 ? settings.side : side { facts["side"] = side }
        return ColumnRecipe(
            input: "video", version: version,
            configuration: [
                "codec": settings.codec.rawValue, "side": "\(settings.side)",
                "dtype": settings.dtype.rawValue,
            ],
            networks: codec.networks, facts: facts, settings: codec.words
        ) { slice in
            let pictures = Pictures(slice, side: settings.side, threads: threads)
            return try member(pictures, codec.codec.get(), element, device)
        }
    }

    private static func member(
        _ pictures: Pictures, _ codec: any LatentCodec, _ element: NumPyElement, _ device: Device
    ) throws -> ColumnMember {
        let (frames, height, width) = try pictures.size()
        guard height % codec.factor == 0, width % codec.factor == 0 else {
            throw LoopyError(
                .malformed,
                "\(pictures.slice.path): pictures of \(width)x\(height) pixels are no whole number of "
                    + "places of \(codec.factor) pixels; set extract.latents.side")
        }
        let header = NumPyHeader(
            type: element.rawValue,
            shape: [frames, codec.channels, height / codec.factor, width / codec.factor])
        guard frames > 0, let size = header.fileSize else {
            throw LoopyError(.malformed, "\(pictures.slice.path): holds no picture")
        }
        return ColumnMember(byteCount: size, frames: frames) { write in
            try write(header.encoded())
            try pictures.forEach { picture in
                let latents = withoutGradient { codec.encode(picture.to(device)) }
                try latents.to(element == .float16 ? .float16 : .float32).withBytes {
                    try write([UInt8]($0))
                }
            }
        }
    }

    // MARK: Codecs

    /// A codec, and what identifies its output.
    struct CodecRecipe {
        var channels: Int
        var factor: Int
        var networks: [String: String]
        var words: [String: String]
        var codec: Lazily<any LatentCodec>
    }

    static func codecRecipe(
        _ settings: LatentsSettings, _ dataset: DatasetDirectory?, threads: Int
    ) throws -> CodecRecipe {
        switch settings.codec {
        case .autoencoder:
            let device = try Device(settings.device)
            let folder = AutoencoderKL.folder(try autoencoderFolder(settings))
            let configuration = try AutoencoderConfiguration(
                contentsOf: folder + "/config.json")
            var networks = ["config": try Digest.ofFile(folder + "/config.json")]
            for file in try Checkpoint(folder).files {
                networks[(file as NSString).lastPathComponent] = try Digest.ofFile(file)
            }
            return CodecRecipe(
                channels: configuration.latentChannels, factor: configuration.factor,
                networks: networks,
                words: [
                    "codec": settings.codec.rawValue,
                    "weights": (folder as NSString).lastPathComponent,
                ],
                codec: Lazily { try AutoencoderKL(folder: folder, device: device) })
        case .patchPCA:
            let path =
                settings.weights.isEmpty
                ? try CodecFitting(settings, dataset, threads: threads).path : settings.weights
            let codec = try PatchPCA(Checkpoint(path))
            let share = codec.explainedVariance.reduce(0, +) / codec.totalVariance
            return CodecRecipe(
                channels: codec.channels, factor: codec.factor,
                networks: ["codec": try Digest.ofFile(path)],
                words: [
                    "codec": settings.codec.rawValue,
                    "weights": dataset.map { path.removing(prefix: $0.path + "/") } ?? path,
                    "variance kept": String(format: "%.2f%%", 100 * share),
                ],
                codec: Lazily { codec })
        }
    }

    private static func autoencoderFolder(_ settings: LatentsSettings) throws -> String {
        let name = settings.weights.isEmpty ? "stable-diffusion-v1-5/vae" : settings.weights
        if let folder = try ModelManifest.resolve(name) { return folder }
        throw LoopyError(
            .configuration,
            "extract.latents.weights: '\(name)' is not here; `loopy models` says where it is published "
                + "and where to put it. codec: patch-pca needs no weights")
    }
}

extension String {
    fileprivate func removing(prefix: String) -> String {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : self
    }
}

extension LatentsSettings {
    /// The codec, outside of a dataset, and the digests of its files by name.
    ///
    /// - Throws: `LoopyError` `.configuration` for settings that cannot be used; what is wrong with
    ///   weights.
    public func makeCodec() throws -> (codec: any LatentCodec, networks: [String: String]) {
        let recipe = try LatentsColumn.codecRecipe(self, nil, threads: 0)
        return (try recipe.codec.get(), recipe.networks)
    }
}

/// Latents of some frames of a video, as the column would hold them: for shards that have no such column.
public struct FrameCoder {
    private let settings: LatentsSettings
    private let codec: any LatentCodec
    private let device: Device

    /// - Throws: `LoopyError` `.configuration` for settings that cannot be used; what is wrong with
    ///   weights.
    public init(_ settings: LatentsSettings) throws {
        self.settings = settings
        device = try Device(settings.device)
        codec = try settings.makeCodec().codec
    }

    /// - Returns: float32 `[T, C, h, w]`, T of the frames that are there.
    /// - Throws: `LoopyError` for a video that cannot be decoded.
    public func latents(path: String, bytes: Range<Int>?, frames: Range<Int>) throws -> Tensor {
        var latents: [Tensor] = []
        let pictures = Pictures(
            FileSlice(path: path, bytes: bytes), side: settings.side, threads: 0)
        try pictures.forEach(frames) { picture in
            let coded = withoutGradient { codec.encode(picture.to(device)) }
            latents.append(settings.dtype == .float16 ? coded.to(.float16) : coded)
        }
        guard !latents.isEmpty else {
            throw LoopyError(.malformed, "\(path): holds no picture of frames \(frames)")
        }
        return concatenated(latents, along: 0).to(.cpu).to(.float32)
    }
}

/// The pictures of a video as tensors, one after the other.
struct Pictures {
    let slice: FileSlice
    /// To which they are brought; 0 leaves them as they are.
    let side: Int
    let threads: Int

    init(_ slice: FileSlice, side: Int, threads: Int) {
        (self.slice, self.side, self.threads) = (slice, side, threads)
    }

    /// Frames, height, width.
    func size() throws -> (frames: Int, height: Int, width: Int) {
        let reader = try VideoReader(path: slice.path, bytes: slice.bytes, threads: threads)
        var frames = 0, size = (0, 0)
        while let picture = try reader.next() {
            if frames == 0 { size = (picture.frame.height, picture.frame.width) }
            frames += 1
        }
        return side > 0 ? (frames, side, side) : (frames, size.0, size.1)
    }

    /// - Parameters:
    ///   - range: frames that are wanted.
    ///   - body: gets `[1, 3, H, W]`, -1 to 1.
    func forEach(_ range: Range<Int> = 0..<Int.max, _ body: (Tensor) throws -> Void) throws {
        let reader = try VideoReader(
            path: slice.path, bytes: slice.bytes, range: range, threads: threads)
        let converter = RGBConverter()
        let pictures = FramePrefetcher(reader)
        defer { pictures.cancel() }
        while let picture = try pictures.next() {
            try body(converter.tensor(picture.frame, side: side))
        }
    }
}

extension RGBConverter {
    /// A picture as codecs take it: `[1, 3, H, W]`, -1 to 1.
    ///
    /// - Parameter side: to which it is brought; 0 leaves it as it is.
    /// - Throws: `LoopyError` `.undecodable` for a picture that cannot be converted.
    public func tensor(_ frame: VideoFrame, side: Int) throws -> Tensor {
        let pixels = Tensor.empty([1, frame.height, frame.width, 3], type: .uint8)
        try pixels.withMutableElements(of: UInt8.self) { try convert(frame, into: $0) }
        let values = pixels.permuted(0, 3, 1, 2).to(.float32) / 127.5 - 1.0
        guard side > 0, values.shape != [1, 3, side, side] else { return values }
        return interpolate(values, size: [side, side], .linear, antialias: true)
    }
}

import Dataset
import Errors
import Foundation
import Media
import Settings
import Speech
import Storage
import Torch
import Weights

/// Settings of the column `speech`.
public struct SpeechSettings: Codable, Sendable {
    public enum Encoder: String, Codable, Sendable, CaseIterable {
        /// Log-mel spectra, which need no weights.
        case logMel = "log-mel"
        case wav2vec2
    }

    public enum ElementName: String, Codable, Sendable, CaseIterable {
        case float16, float32
    }

    public var encoder = Encoder.logMel
    /// Of wav2vec2: a folder with config.json and model.safetensors or pytorch_model.bin, or the name
    /// of a network in Manifests/models.yaml.
    public var weights = "wav2vec2-base"
    /// When features go from 50 a second to video frames.
    public var alignment = Wav2Vec2Encoder.Alignment.beforeEncoder
    /// Of the stored numbers.
    public var dtype = ElementName.float16
    /// Seconds of sound that wav2vec2's transformer sees at once; longer recordings are encoded in
    /// chunks of `chunk_seconds` that see `context_seconds` more on either side.
    public var wholeSeconds = 60.0
    public var chunkSeconds = 40.0
    public var contextSeconds = 10.0
    /// Where it is computed: "cpu", "cuda:0".
    public var device = "cpu"

    public init() {}
}

/// The column `speech`: what the model listens to, `[T, L, C]`: L layers of a speech encoder for every
/// video frame.
enum SpeechColumn {
    static let version = 1
    /// - Throws: `LoopyError` `.configuration` for settings that cannot be used; `LoopyError` when
    ///   the weights cannot be found.
    static func recipe(_ settings: SpeechSettings, threads: Int) throws -> ColumnRecipe {
        let encoder = try encoderRecipe(settings)
        let element = settings.dtype == .float16 ? NumPyElement.float16 : .float32
        return ColumnRecipe(
            input: "audio", version: version,
            configuration: encoder.configuration.merging(
                ["dtype": settings.dtype.rawValue], uniquingKeysWith: { a, _ in a }),
            networks: encoder.networks, settings: encoder.words
        ) { slice in
            return try member(slice, encoder.network.get(), element)
        }
    }

    private static func member(
        _ slice: FileSlice, _ encoder: any SpeechEncoder, _ element: NumPyElement
    ) throws -> ColumnMember {
        let (recording, samples) = try Recording.file(slice.path, bytes: slice.bytes)
        let frames = Recording.frames(samples: samples)
        let header = NumPyHeader(
            type: element.rawValue, shape: [frames, encoder.layers, encoder.channels])
        guard frames > 0, let size = header.fileSize else {
            throw LoopyError(.malformed, "\(slice.path): holds no sound")
        }
        return ColumnMember(byteCount: size, frames: frames) { write in
            do {
                try write(header.encoded())
                try encoder.encode(recording) { features in
                    try features.to(element == .float16 ? .float16 : .float32).withBytes {
                        try write([UInt8]($0))
                    }
                }
            } catch let error as LoopyError where error.path == nil && error.category != .output {
                throw LoopyError(error.category, error.message, path: slice.path)
            }
        }
    }

    /// An encoder, and what identifies its output.
    struct EncoderRecipe {
        var configuration: [String: String]
        var networks: [String: String]
        var words: [String: String]
        var network: Lazily<any SpeechEncoder>
    }

    static func encoderRecipe(_ settings: SpeechSettings) throws -> EncoderRecipe {
        let name = settings.encoder.rawValue
        switch settings.encoder {
        case .logMel:
            return EncoderRecipe(
                configuration: ["encoder": name], networks: [:], words: ["encoder": name],
                network: Lazily { LogMel() })
        case .wav2vec2:
            let chunks = try chunks(settings)
            let device = try Device(settings.device)
            let folder = try weights(settings)
            let preprocessing = folder + "/preprocessor_config.json"
            let normalises = try Preprocessing(contentsOf: preprocessing).doNormalize ?? true
            var networks = ["config": try Digest.ofFile(folder + "/config.json")]
            for file in try Checkpoint(folder).files {
                networks[(file as NSString).lastPathComponent] = try Digest.ofFile(file)
            }
            let configuration = [
                "encoder": name, "alignment": settings.alignment.rawValue,
                "chunks": "\(chunks.whole) \(chunks.length) \(chunks.context)",
                "normalises": "\(normalises)",
            ]
            return EncoderRecipe(
                configuration: configuration, networks: networks,
                words: [
                    "encoder": name, "alignment": settings.alignment.rawValue,
                    "weights": (folder as NSString).lastPathComponent,
                ],
                network: Lazily {
                    Wav2Vec2Encoder(
                        try Wav2Vec2(folder: folder, device: device),
                        alignment: settings.alignment, chunks: chunks, normalises: normalises,
                        device: device)
                })
        }
    }

    private static func chunks(_ settings: SpeechSettings) throws -> Wav2Vec2Encoder.Chunks {
        guard settings.chunkSeconds >= 2, settings.contextSeconds >= 0.5,
            settings.wholeSeconds >= settings.chunkSeconds
        else {
            throw LoopyError(
                .configuration,
                "extract.speech: chunk_seconds must be 2 or more, context_seconds 0.5 or more, and "
                    + "whole_seconds no less than chunk_seconds")
        }
        return Wav2Vec2Encoder.Chunks(
            whole: settings.wholeSeconds, length: settings.chunkSeconds,
            context: settings.contextSeconds)
    }

    /// The folder with the weights.
    private static func weights(_ settings: SpeechSettings) throws -> String {
        if let folder = try ModelManifest.resolve(settings.weights) { return folder }
        throw LoopyError(
            .configuration,
            "extract.speech.weights: '\(settings.weights)' is not here; `loopy models` says where it is "
                + "published and where to put it")
    }

    /// What wav2vec2's `preprocessor_config.json` says, where there is one.
    private struct Preprocessing: Decodable {
        var doNormalize: Bool?

        init(contentsOf path: String) throws {
            guard let data = FileManager.default.contents(atPath: path) else { return }
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            do {
                self = try decoder.decode(Preprocessing.self, from: data)
            } catch {
                throw LoopyError(.malformed, "\(path): cannot be understood (\(error))")
            }
        }

        private enum CodingKeys: CodingKey { case doNormalize }
    }
}

extension SpeechSettings {
    /// The encoder, and the digests of its files by name.
    ///
    /// - Throws: `LoopyError` `.configuration` for settings that cannot be used; what is wrong with
    ///   weights.
    public func makeEncoder() throws -> (encoder: any SpeechEncoder, networks: [String: String]) {
        let recipe = try SpeechColumn.encoderRecipe(self)
        return (try recipe.network.get(), recipe.networks)
    }
}

extension Recording {
    /// A recording of up to ten minutes is held in memory: decoding it once more costs time.
    private static let longestInMemory = 600 * Recording.sampleRate

    /// The sound of a media file, or of a part of a file: a member of an archive.
    ///
    /// - Throws: `LoopyError`, as `AudioStream`.
    public static func file(
        _ path: String, bytes: Range<Int>? = nil
    ) throws -> (Recording, samples: Int) {
        let stream = try AudioStream(path: path, bytes: bytes)
        guard stream.sampleCount > longestInMemory else {
            return (Recording(try stream.next(stream.sampleCount)), stream.sampleCount)
        }
        let recording = Recording {
            let stream = try AudioStream(path: path, bytes: bytes)
            return { try stream.next($0) }
        }
        return (recording, stream.sampleCount)
    }
}

import Errors
import Foundation
import Settings
import Speech
import Storage
import Torch
import Weights

/// Settings of the column `speech`.
public struct SpeechSettings: ColumnSettings {
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

extension SpeechSettings {
    /// The encoder, and the digests of its files by name.
    ///
    /// - Throws: `LoopyError` `.configuration` for settings that cannot be used; what is wrong with
    ///   weights.
    public func makeEncoder() throws -> (encoder: any SpeechEncoder, networks: [String: String]) {
        let source = try encoderSource()
        return (try source.encoder.get(), source.networks)
    }

    /// An encoder that is loaded when it is first needed, and what identifies its output.
    struct EncoderSource {
        var configuration: [String: String]
        var networks: [String: String]
        var encoder: Lazily<any SpeechEncoder>
    }

    func encoderSource() throws -> EncoderSource {
        let name = encoder.rawValue
        switch encoder {
        case .logMel:
            return EncoderSource(
                configuration: ["encoder": name], networks: [:], encoder: Lazily { LogMel() })
        case .wav2vec2:
            let chunks = try encodingChunks()
            let device = try Device(self.device)
            let folder = try weightsFolder()
            let preprocessing = folder + "/preprocessor_config.json"
            let normalises = try Preprocessing(contentsOf: preprocessing).doNormalize ?? true
            var networks = ["config": try Digest.ofFile(folder + "/config.json")]
            for file in try Checkpoint(folder).files {
                networks[(file as NSString).lastPathComponent] = try Digest.ofFile(file)
            }
            let configuration = [
                "encoder": name, "alignment": alignment.rawValue,
                "chunks": "\(chunks.whole) \(chunks.length) \(chunks.context)",
                "normalises": "\(normalises)",
            ]
            return EncoderSource(
                configuration: configuration, networks: networks,
                encoder: Lazily { [alignment] in
                    Wav2Vec2Encoder(
                        try Wav2Vec2(folder: folder, device: device),
                        alignment: alignment, chunks: chunks, normalises: normalises,
                        device: device)
                })
        }
    }

    private func encodingChunks() throws -> Wav2Vec2Encoder.Chunks {
        guard chunkSeconds >= 2, contextSeconds >= 0.5,
            wholeSeconds >= chunkSeconds
        else {
            throw LoopyError(
                .configuration,
                "extract.speech: chunk_seconds must be 2 or more, context_seconds 0.5 or more, and "
                    + "whole_seconds no less than chunk_seconds")
        }
        return Wav2Vec2Encoder.Chunks(
            whole: wholeSeconds, length: chunkSeconds,
            context: contextSeconds)
    }

    /// The folder with the weights.
    private func weightsFolder() throws -> String {
        if let folder = try ModelManifest.resolve(weights) { return folder }
        throw LoopyError(
            .configuration,
            "extract.speech.weights: '\(weights)' is not here; `loopy models` says where it is "
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

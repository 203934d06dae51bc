import Errors
import Foundation
import Settings
import Speech
import Storage
import Torch
import Weights

/// Settings of the column `speech`.
public struct SpeechSettings: DescribedSettings {
    public enum Encoder: String, Codable, Sendable, CaseIterable {
        /// Log-mel spectra, which need no weights.
        case logMel = "log-mel"
        case wav2vec2
    }

    public enum ElementName: String, Codable, Sendable, CaseIterable {
        case float16, float32
    }

    public var encoder = Encoder.logMel
    /// Empty for `usualWeights`.
    public var weights = usualWeights
    public var alignment = Wav2Vec2Encoder.Alignment.beforeEncoder
    public var dtype = ElementName.float16
    public var wholeSeconds = 60.0
    public var chunkSeconds = 40.0
    public var contextSeconds = 10.0
    public var device = "cpu"

    private static let usualWeights = "wav2vec2-base"

    public init() {}

    /// Settings that name no weights.
    public static var withoutWeights: SpeechSettings {
        var settings = SpeechSettings()
        settings.weights = ""
        return settings
    }

    public static var settings: [Setting<SpeechSettings>] {
        [
            .choice(
                "encoder", \.encoder,
                "The speech encoder: log-mel spectra, which need no weights, or wav2vec2."),
            .text(
                "weights", \.weights, "a folder, or a name in Manifests/models.yaml",
                mayBeEmpty: true,
                "The weights of wav2vec2: config.json with model.safetensors or pytorch_model.bin. Without any, "
                    + "generating takes those that the model was trained with."),
            .choice(
                "alignment", \.alignment,
                "When features go from 50 a second to video frames: before the transformer, or after."
            ),
            .choice("dtype", \.dtype, "The type of the stored numbers."),
            .number(
                "whole_seconds", \.wholeSeconds, in: 2...600, unit: "s",
                "The time of sound that wav2vec2's transformer sees at once; longer recordings are "
                    + "encoded in chunks."),
            .number(
                "chunk_seconds", \.chunkSeconds, in: 2...600, unit: "s",
                "The time of a chunk."),
            .number(
                "context_seconds", \.contextSeconds, in: 0.5...300, unit: "s",
                "The time that the transformer sees on either side of a chunk."),
            .device("device", \.device, "The device that encodes."),
        ]
    }

    public var conflict: String? {
        wholeSeconds < chunkSeconds
            ? "whole_seconds: \(wholeSeconds) is less than chunk_seconds, \(chunkSeconds)" : nil
    }
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
            let chunks = Wav2Vec2Encoder.Chunks(
                whole: wholeSeconds, length: chunkSeconds, context: contextSeconds)
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

    /// The folder with the weights.
    private func weightsFolder() throws -> String {
        let name = weights.isEmpty ? Self.usualWeights : weights
        if let folder = try ModelManifest.resolve(name) { return folder }
        throw LoopyError(
            .configuration,
            "speech.weights (of extract, or of generate): '\(name)' is not here; `loopy models` says where it is "
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

import Dataset
import Diffusion
import Errors
import Features
import LoopyModel
import Runs
import Speech
import Torch

/// A trained model, with the codec of its pictures and the encoder of its speech as they were when it was
/// trained.
public struct PortraitModel {
    public let trained: TrainedModel
    package let model: LoopyNet
    package let schedule: NoiseSchedule
    let codec: any LatentCodec
    package let speech: any SpeechEncoder
    let device: Device
    private let precision: ComputePrecision
    /// The side of the pictures, in pixels.
    package let side: Int
    /// The side with which clips are cut out, before they are brought to `side`.
    package let clipSide: Int

    /// - Throws: `LoopyError` for settings that do not fit the model; what is wrong with weights.
    public init(_ trained: TrainedModel, _ settings: GenerationSettings) throws {
        let description = trained.description
        guard description.model.stage.isVideo else {
            throw LoopyError(
                .unsuitable,
                "\(trained.path): is of the first stage, which knows single pictures; train the second"
            )
        }
        try settings.requireFit(to: trained)
        self.trained = trained
        device = try Device(settings.device)
        schedule = try NoiseSchedule(description.schedule)

        // As the features were made that the model was trained on.
        let latents = description.columns["latents"], speech = description.columns["speech"]
        var latentsSettings = try latents?.settings(or: settings.latents) ?? settings.latents
        latentsSettings.device = settings.device
        if !settings.latents.weights.isEmpty { latentsSettings.weights = settings.latents.weights }
        if latentsSettings.codec != .autoencoder, let file = trained.codecFile {
            latentsSettings.weights = file
        }
        let codec = try latentsSettings.makeCodec()
        try Self.require(codec.networks, of: latents, "latents", trained)
        self.codec = codec.codec

        var speechSettings = try speech?.settings(or: settings.speech) ?? settings.speech
        speechSettings.device = settings.device
        if !settings.speech.weights.isEmpty { speechSettings.weights = settings.speech.weights }
        let encoder = try speechSettings.makeEncoder()
        try Self.require(encoder.networks, of: speech, "speech", trained)
        self.speech = encoder.encoder

        let model = description.model
        guard encoder.encoder.layers == model.speechLayers,
            encoder.encoder.channels == model.speechChannels
        else {
            throw LoopyError(
                .unsuitable,
                "\(trained.path): takes speech features of [\(model.speechLayers), "
                    + "\(model.speechChannels)] a frame, and \(speechSettings.encoder.rawValue) gives "
                    + "[\(encoder.encoder.layers), \(encoder.encoder.channels)]; set generate.speech"
            )
        }
        guard codec.codec.channels == model.latentChannels else {
            throw LoopyError(
                .unsuitable,
                "\(trained.path): takes latents of \(model.latentChannels) channels, and "
                    + "\(latentsSettings.codec.rawValue) gives \(codec.codec.channels); set "
                    + "generate.latents")
        }
        clipSide = description.columns["video"]?.facts["side"] ?? settings.video.size
        let wanted = settings.latents.side
        side = wanted > 0 ? wanted : latents?.facts["side"] ?? clipSide
        guard side.isMultiple(of: codec.codec.factor), side.isMultiple(of: 2) else {
            throw LoopyError(
                .configuration,
                "generate.latents.side: pictures of \(side) pixels a side cannot be made of latents of "
                    + "\(codec.codec.factor) pixels each; take an even multiple of that")
        }
        precision = settings.precision.resolved(on: settings.device)
        self.model = try trained.load(on: device, precision: precision)
    }

    /// - Throws: `LoopyError` when features would come from other networks than in training.
    private static func require(
        _ networks: [String: String], of column: Catalogue.Column?, _ name: String,
        _ trained: TrainedModel
    ) throws {
        guard let column, column.networks != networks else { return }
        let weights = column.settings["weights"]?.string.map { " (\($0))" } ?? ""
        throw LoopyError(
            .configuration,
            "\(trained.path): was trained on \(name) from other weights\(weights) than these: set "
                + "generate.\(name).weights to those")
    }

    /// Codes a portrait: `[1, C, h, w]`.
    package func encode(_ portrait: CroppedPortrait) -> Tensor {
        withoutGradient { codec.encode(portrait.tensor.to(device)) }
    }

    /// Decodes latents `[F, C, h, w]` to pictures: 8-bit RGB, `[side, side, 3]` each.
    func decode(_ latents: Tensor) -> [[UInt8]] {
        // One by one, for memory; on a GPU none waits for the one before.
        let pictures = withoutGradient {
            (0..<latents.length(0)).map { frame in
                precision.computing(on: device) { codec.decode(latents[frame..<(frame + 1)]) }
                    .to(.float32).levels
            }
        }
        return pictures.map { $0.array() }
    }
}

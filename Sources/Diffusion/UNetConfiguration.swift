import Errors
import Foundation

/// The shape of a U-Net. The defaults are Stable Diffusion 1.5's.
public struct UNetConfiguration: Sendable, Equatable {
    public var inputChannels = 4
    public var outputChannels = 4
    /// The channels of each resolution, from the finest.
    public var channels = [320, 640, 1280, 1280]
    /// Whether each resolution has spatial transformers. The middle always has one.
    public var attention = [true, true, true, false]
    /// The number of layers on the way down; there is one more on the way up.
    public var layersPerBlock = 2
    public var heads = 8
    /// The number of groups of group normalisation.
    public var groups = 32
    /// Channels of the text encoder; nil for no text attention.
    public var textChannels: Int? = 768

    /// E.
    public var embeddingWidth: Int { 4 * channels[0] }

    /// The number by which each side of the latents must be divisible.
    public var factor: Int { 1 << (channels.count - 1) }

    public init() {}

    /// Reads the `config.json` of a published `unet` folder.
    ///
    /// - Throws: `LoopyError` when it is missing (`.missing`) or asks for what this
    ///   implementation does not have.
    public init(contentsOf path: String) throws(LoopyError) {
        let file: Published = try readConfiguration(path)
        try file.requireSupported(path)
        self.init()
        inputChannels = file.inChannels
        outputChannels = file.outChannels
        channels = file.blockOutChannels
        attention = file.downBlockTypes.map { $0 == "CrossAttnDownBlock2D" }
        layersPerBlock = file.layersPerBlock
        heads = file.attentionHeadDim
        groups = file.normNumGroups
        textChannels = file.crossAttentionDim
    }

    /// The `config.json` of a `unet` folder, as diffusers' `UNet2DConditionModel` writes and opens it.
    ///
    /// - Precondition: the net has text attention; diffusers knows none without.
    public func published() throws -> [UInt8] {
        guard let textChannels else {
            fatalError("a U-Net without text attention has no configuration of diffusers'")
        }
        let downBlocks = attention.map { $0 ? "CrossAttnDownBlock2D" : "DownBlock2D" }
        let file = Published(
            _className: "UNet2DConditionModel", inChannels: inputChannels,
            outChannels: outputChannels, blockOutChannels: channels, downBlockTypes: downBlocks,
            upBlockTypes: downBlocks.reversed().map {
                $0.replacingOccurrences(of: "Down", with: "Up")
            }, layersPerBlock: layersPerBlock, attentionHeadDim: heads,
            crossAttentionDim: textChannels, normNumGroups: groups, normEps: 1e-5, actFn: "silu",
            flipSinToCos: true, freqShift: 0, downsamplePadding: 1)
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return Array(try encoder.encode(file)) + [0x0a]
    }

    /// What diffusers writes; keys that change nothing here are not read.
    private struct Published: Codable {
        /// The class of diffusers' that opens the file, under diffusers' key.
        // swift-format-ignore: NoLeadingUnderscores
        var _className: String?
        var inChannels: Int
        var outChannels: Int
        var blockOutChannels: [Int]
        var downBlockTypes: [String]
        var upBlockTypes: [String]
        var layersPerBlock: Int
        /// The number of heads, by an old mistake of diffusers'.
        var attentionHeadDim: Int
        var crossAttentionDim: Int
        var normNumGroups: Int
        var normEps: Double?
        var actFn: String?
        var useLinearProjection: Bool?
        var flipSinToCos: Bool?
        var freqShift: Double?
        var downsamplePadding: Int?
        var classEmbedType: String?
        var additionEmbedType: String?
        var resnetTimeScaleShift: String?

        func requireSupported(_ path: String) throws(LoopyError) {
            let mirrored = downBlockTypes.reversed().map {
                $0.replacingOccurrences(of: "Down", with: "Up")
            }
            let known = ["CrossAttnDownBlock2D", "DownBlock2D"]
            let wrong: [(String, Bool)] = [
                ("down_block_types", !downBlockTypes.allSatisfy(known.contains)),
                ("up_block_types", upBlockTypes != mirrored),
                ("block_out_channels", blockOutChannels.count != downBlockTypes.count),
                (
                    "attention_head_dim or norm_num_groups, which do not divide the channels",
                    attentionHeadDim < 1 || normNumGroups < 1
                        || blockOutChannels.contains {
                            $0 % normNumGroups != 0 || $0 % attentionHeadDim != 0
                        }
                ),
                ("norm_eps", (normEps ?? 1e-5) != 1e-5),
                ("act_fn", (actFn ?? "silu") != "silu"),
                ("use_linear_projection", useLinearProjection == true),
                ("flip_sin_to_cos", flipSinToCos == false),
                ("freq_shift", (freqShift ?? 0) != 0),
                ("downsample_padding", (downsamplePadding ?? 1) != 1),
                ("class_embed_type", classEmbedType != nil),
                ("addition_embed_type", additionEmbedType != nil),
                ("resnet_time_scale_shift", (resnetTimeScaleShift ?? "default") != "default"),
            ]
            guard let (key, _) = wrong.first(where: \.1) else { return }
            throw LoopyError(
                .unsupported,
                "\(path): is not of Stable Diffusion 1.5's architecture: \(key)")
        }
    }
}

/// A published `config.json`.
func readConfiguration<Published: Decodable>(_ path: String) throws(LoopyError) -> Published {
    guard let data = FileManager.default.contents(atPath: path) else {
        throw LoopyError(
            .missing,
            "\(path): is missing; a folder in the diffusers layout holds config.json and the weights"
        )
    }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    do {
        return try decoder.decode(Published.self, from: data)
    } catch {
        throw LoopyError(
            .malformed, "\(path): is no configuration of such a network (\(error))")
    }
}

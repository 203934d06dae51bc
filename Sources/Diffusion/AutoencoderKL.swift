import Errors
import Foundation
import Torch
import Weights

// Shapes: B pictures, C channels, H W rows and columns of pixels, h w of latents.

/// Stable Diffusion's autoencoder (diffusers' `AutoencoderKL`): pictures to latents of an eighth of the
/// side, and back.
///
/// Pictures are worked on one by one, so that memory does not grow with their number.
public struct AutoencoderKL: LatentCodec {
    private let encoder: Encoder
    private let decoder: Decoder
    /// 1x1 convolutions on both sides of the latents; newer networks have none.
    private let quantise: Convolution?, unquantise: Convolution?
    private let scaling: Double
    public let channels: Int
    public let factor: Int

    public init(_ scope: Scope, _ configuration: AutoencoderConfiguration) {
        let latents = configuration.latentChannels
        encoder = Encoder(scope["encoder"], configuration)
        decoder = Decoder(scope["decoder"], configuration)
        let hasEnds = configuration.hasQuantisation
        quantise =
            hasEnds
            ? Convolution(scope["quant_conv"], 2 * latents, 2 * latents, size: [1, 1]) : nil
        unquantise =
            hasEnds ? Convolution(scope["post_quant_conv"], latents, latents, size: [1, 1]) : nil
        scaling = configuration.scaling
        channels = latents
        factor = configuration.factor
    }

    /// - Parameter folder: a published `vae` folder, config.json and weights; or the folder of a whole
    ///   Stable Diffusion that holds one.
    /// - Throws: `LoopyError` for another architecture, and for files that cannot be used.
    public init(folder: String, device: Device = .cpu) throws {
        let folder = Self.folder(folder)
        let configuration = try AutoencoderConfiguration(contentsOf: folder + "/config.json")
        self = try ParameterStore.load(
            Checkpoint(folder), device: device, rename: Self.currentName
        ) { AutoencoderKL($0, configuration) }
    }

    /// The folder in which a published autoencoder lies: `vae`, where there is such a folder.
    public static func folder(_ folder: String) -> String {
        let inner = folder + "/vae"
        return FileManager.default.fileExists(atPath: inner + "/config.json") ? inner : folder
    }

    /// Attention had other names before diffusers 0.18.
    private static func currentName(_ name: String) -> String {
        guard name.contains("mid_block.attentions.") else { return name }
        return [
            ".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.",
            ".proj_attn.": ".to_out.0.",
        ].reduce(name) { $0.replacingOccurrences(of: $1.key, with: $1.value) }
    }

    // MARK: Pictures to latents

    /// The distribution of a picture's latents, not scaled.
    ///
    /// - Parameter images: `[B, 3, H, W]`, -1 to 1; H and W multiples of `factor`.
    /// - Returns: mean and logarithm of the variance, `[B, C, h, w]` each.
    public func distribution(_ images: Tensor) -> (mean: Tensor, logVariance: Tensor) {
        let moments = oneByOne(images) { image in
            let moments = encoder(image)
            return quantise?(moments) ?? moments
        }.chunks(2, along: 1)
        return (moments[0], moments[1].clamped(-30, 20))
    }

    /// The mean latents, scaled to about unit variance.
    public func encode(_ images: Tensor) -> Tensor { distribution(images).mean * scaling }

    /// Latents drawn from their distribution, scaled.
    public func sample(_ images: Tensor, generator: Generator) -> Tensor {
        let (mean, logVariance) = distribution(images)
        let noise = Tensor.normal(mean.shape, generator: generator)
        return (mean + (logVariance * 0.5).exp() * noise) * scaling
    }

    // MARK: Latents to pictures

    public func decode(_ latents: Tensor) -> Tensor {
        oneByOne(latents) { latents in
            let latents = latents / scaling
            return decoder(unquantise?(latents) ?? latents)
        }
    }

    private func oneByOne(_ batch: Tensor, _ body: (Tensor) -> Tensor) -> Tensor {
        concatenated((0..<batch.length(0)).map { body(batch[$0..<($0 + 1)]) }, along: 0)
    }
}

/// The shape of an autoencoder. The defaults are Stable Diffusion 1.5's.
public struct AutoencoderConfiguration: Sendable, Equatable {
    /// The channels of each resolution, from the finest.
    public var channels = [128, 256, 512, 512]
    /// The number of layers on the way down; there is one more on the way up.
    public var layersPerBlock = 2
    public var latentChannels = 4
    public var groups = 32
    /// The number that latents are multiplied by.
    public var scaling = 0.18215
    public var hasQuantisation = true

    /// The number of pixels along each side that one pixel of the latents stands for.
    public var factor: Int { 1 << (channels.count - 1) }

    public init() {}

    /// Reads the `config.json` of a published `vae` folder.
    ///
    /// - Throws: `LoopyError` when it is missing (`.missing`) or asks for what this
    ///   implementation does not have.
    public init(contentsOf path: String) throws(LoopyError) {
        let file: Published = try readConfiguration(path)
        try file.requireSupported(path)
        self.init()
        channels = file.blockOutChannels
        layersPerBlock = file.layersPerBlock
        latentChannels = file.latentChannels
        groups = file.normNumGroups ?? groups
        scaling = file.scalingFactor ?? scaling
        hasQuantisation = file.useQuantConv ?? true
    }

    /// What diffusers writes; keys that change nothing here are not read.
    private struct Published: Decodable {
        var inChannels: Int
        var outChannels: Int
        var blockOutChannels: [Int]
        var downBlockTypes: [String]
        var upBlockTypes: [String]
        var layersPerBlock: Int
        var latentChannels: Int
        var normNumGroups: Int?
        var scalingFactor: Double?
        var shiftFactor: Double?
        var actFn: String?
        var useQuantConv: Bool?
        var usePostQuantConv: Bool?
        var midBlockAddAttention: Bool?

        func requireSupported(_ path: String) throws(LoopyError) {
            let groups = normNumGroups ?? 32
            let wrong: [(String, Bool)] = [
                ("in_channels or out_channels", inChannels != 3 || outChannels != 3),
                (
                    "down_block_types or up_block_types",
                    downBlockTypes != blockOutChannels.map { _ in "DownEncoderBlock2D" }
                        || upBlockTypes != blockOutChannels.map { _ in "UpDecoderBlock2D" }
                ),
                (
                    "norm_num_groups, which does not divide the channels",
                    groups < 1 || blockOutChannels.contains { $0 % groups != 0 }
                ),
                ("act_fn", (actFn ?? "silu") != "silu"),
                ("shift_factor", (shiftFactor ?? 0) != 0),
                (
                    "use_quant_conv and use_post_quant_conv",
                    (useQuantConv ?? true) != (usePostQuantConv ?? true)
                ),
                ("mid_block_add_attention", midBlockAddAttention == false),
            ]
            guard let (key, _) = wrong.first(where: \.1) else { return }
            throw LoopyError(
                .unsupported,
                "\(path): is not of Stable Diffusion's autoencoder's architecture: \(key)")
        }
    }
}

/// Pictures to the moments of their latents: `[B, 3, H, W]` to `[B, 2 C, h, w]`.
private struct Encoder {
    private let convIn: Convolution
    private let blocks: [(residuals: [ResidualBlock], downsampling: Downsampling?)]
    private let middle: Middle
    private let output: Output

    init(_ scope: Scope, _ configuration: AutoencoderConfiguration) {
        let channels = configuration.channels
        convIn = Convolution(scope["conv_in"], 3, channels[0], size: [3, 3], padding: [1, 1])
        blocks = channels.indices.map { level in
            let block = scope["down_blocks"][level]
            let residuals = (0..<configuration.layersPerBlock).map { index in
                ResidualBlock(
                    block["resnets"][index],
                    index == 0 ? channels[max(0, level - 1)] : channels[level], channels[level],
                    configuration)
            }
            let isLast = level == channels.count - 1
            return (
                residuals,
                isLast
                    ? nil : Downsampling(block["downsamplers"][0], channels[level], padsEnds: true)
            )
        }
        middle = Middle(scope["mid_block"], channels[channels.count - 1], configuration)
        output = Output(
            scope, channels[channels.count - 1], 2 * configuration.latentChannels, configuration)
    }

    func callAsFunction(_ images: Tensor) -> Tensor {
        var x = convIn(images.channelsLast())
        for block in blocks {
            for residual in block.residuals { x = residual(x) }
            x = block.downsampling?(x) ?? x
        }
        return output(middle(x))
    }
}

/// Latents to pictures: `[B, C, h, w]` to `[B, 3, H, W]`.
private struct Decoder {
    private let convIn: Convolution
    private let middle: Middle
    private let blocks: [(residuals: [ResidualBlock], upsampling: Upsampling?)]
    private let output: Output

    init(_ scope: Scope, _ configuration: AutoencoderConfiguration) {
        let channels = Array(configuration.channels.reversed())
        convIn = Convolution(
            scope["conv_in"], configuration.latentChannels, channels[0], size: [3, 3],
            padding: [1, 1])
        middle = Middle(scope["mid_block"], channels[0], configuration)
        blocks = channels.indices.map { level in
            let block = scope["up_blocks"][level]
            let residuals = (0...configuration.layersPerBlock).map { index in
                ResidualBlock(
                    block["resnets"][index],
                    index == 0 ? channels[max(0, level - 1)] : channels[level], channels[level],
                    configuration)
            }
            let isLast = level == channels.count - 1
            return (
                residuals, isLast ? nil : Upsampling(block["upsamplers"][0], channels[level])
            )
        }
        output = Output(scope, channels[channels.count - 1], 3, configuration)
    }

    func callAsFunction(_ latents: Tensor) -> Tensor {
        var x = middle(convIn(latents.channelsLast()))
        for block in blocks {
            for residual in block.residuals { x = residual(x) }
            x = block.upsampling?(x) ?? x
        }
        return output(x)
    }
}

/// Attention among all pixels of the latents, between two residual blocks.
private struct Middle {
    private let before: ResidualBlock
    private let norm: GroupNorm
    private let attention: Attention
    private let after: ResidualBlock

    init(_ scope: Scope, _ channels: Int, _ configuration: AutoencoderConfiguration) {
        before = ResidualBlock(scope["resnets"][0], channels, channels, configuration)
        let attentions = scope["attentions"][0]
        norm = GroupNorm(
            attentions["group_norm"], groups: configuration.groups, channels, epsilon: 1e-6)
        attention = Attention(attentions, channels, heads: 1, bias: true)
        after = ResidualBlock(scope["resnets"][1], channels, channels, configuration)
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        let x = before(x)
        let shape = x.shape
        let tokens = norm(x).permuted(0, 2, 3, 1).flattened(from: 1, through: 2)
        let attended = attention(tokens)
            .reshaped(shape[0], shape[2], shape[3], shape[1]).permuted(0, 3, 1, 2)
        return after(x + attended)
    }
}

/// What ends encoder and decoder.
private struct Output {
    private let norm: GroupNorm
    private let conv: Convolution

    init(
        _ scope: Scope, _ inputs: Int, _ outputs: Int, _ configuration: AutoencoderConfiguration
    ) {
        norm = GroupNorm(
            scope["conv_norm_out"], groups: configuration.groups, inputs, epsilon: 1e-6)
        conv = Convolution(scope["conv_out"], inputs, outputs, size: [3, 3], padding: [1, 1])
    }

    func callAsFunction(_ x: Tensor) -> Tensor { conv(norm(x).silu()) }
}

extension ResidualBlock {
    /// An autoencoder's.
    fileprivate init(
        _ scope: Scope, _ inputs: Int, _ outputs: Int, _ configuration: AutoencoderConfiguration
    ) {
        self.init(
            scope, inputs, outputs, embedding: nil, groups: configuration.groups, epsilon: 1e-6)
    }
}

import Diffusion

/// The shape of a Loopy model. The defaults are the paper's, on Stable Diffusion 1.5.
public struct LoopyConfiguration: Codable, Sendable, Equatable {
    /// The two stages of training (section 3.4, "Multistage Training"), and one behind them.
    public enum Stage: String, Codable, Sendable, CaseIterable {
        /// Single frames: neither temporal layers nor audio.
        case image
        /// Everything.
        case video
        /// Everything, in few sampling steps of one pass each, learnt from a model of the second stage:
        /// `Distillation`.
        case distilled

        /// Whether the model has temporal layers, and hears.
        public var isVideo: Bool { self != .image }
    }

    public var stage = Stage.video
    /// The number of sampling steps of a distilled model.
    public var distilledSteps = 4

    // Both U-Nets.
    public var latentChannels = 4
    /// The channels of each resolution, from the finest.
    public var channels = [320, 640, 1280, 1280]
    /// Whether each resolution has spatial attention. The middle always has it.
    public var attention = [true, true, true, false]
    /// The number of layers on the way down; there is one more on the way up.
    public var layersPerBlock = 2
    /// The number of heads of every attention in the U-Nets.
    public var heads = 8
    /// The number of groups of group normalisation.
    public var normGroups = 32

    /// F: frames of a clip.
    public var frames = 12
    /// How the frames before the clip become motion frames.
    public var segments = TemporalSegments()

    /// L and S: layers and channels of the speech features of a frame.
    public var speechLayers = 13
    public var speechChannels = 768
    /// W: channels of an audio token.
    public var audioWidth = 768
    public var motionLatents = AudioToLatents.Configuration()
    /// How the paper is read where it leaves a choice.
    public var readings = Readings()
    /// Whether the denoising net sees the reference image's latents, too, behind the noisy ones of each frame.
    public var concatenateReference = false

    public init() {}

    /// The paper's model.
    public static var sd15: LoopyConfiguration { LoopyConfiguration() }

    /// The same structure for two CPU cores: latents of a patch codec, log-mel spectra for speech.
    public static var tiny: LoopyConfiguration {
        var tiny = LoopyConfiguration()
        tiny.latentChannels = 16
        tiny.channels = [32, 64, 96]
        tiny.attention = [true, true, true]
        tiny.layersPerBlock = 1
        tiny.heads = 2
        tiny.normGroups = 8
        tiny.speechLayers = 1
        tiny.speechChannels = 320
        tiny.audioWidth = 64
        tiny.motionLatents = AudioToLatents.Configuration(embeddings: 16, width: 64, heads: 4)
        return tiny
    }

    /// A model of one speaker, which two CPU cores train in an hour: latents of a small codec, log-mel
    /// spectra for speech, and motion frames that reach back a second.
    public static var small: LoopyConfiguration {
        var small = LoopyConfiguration.tiny
        small.latentChannels = 8
        small.channels = [48, 96]
        // Attention among the pixels of the finest latents would take most of the time.
        small.attention = [false, true]
        small.heads = 2
        small.segments.stride = 2
        small.segments.motionFrames = 30
        small.audioWidth = 128
        small.motionLatents = AudioToLatents.Configuration(embeddings: 32, width: 128, heads: 8)
        small.motionLatents.qkNorm = true
        small.motionLatents.mouthHead = true
        small.readings.temporalAttentions = 1
        // Without attention there, nothing else brings the portrait to the finest latents.
        small.concatenateReference = true
        return small
    }

    public static let presets: [String: LoopyConfiguration] = [
        "sd15": .sd15, "small": .small, "tiny": .tiny,
    ]

    /// M: motion frames after the temporal segment module.
    public var motionFrames: Int { segments.count }

    /// The shape of the reference net, as a plain U-Net without text.
    public var unet: UNetConfiguration {
        var unet = UNetConfiguration()
        unet.inputChannels = latentChannels
        unet.outputChannels = latentChannels
        unet.channels = channels
        unet.attention = attention
        unet.layersPerBlock = layersPerBlock
        unet.heads = heads
        unet.groups = normGroups
        unet.textChannels = nil
        return unet
    }

    /// The shape of the denoising net, likewise.
    public var denoisingUNet: UNetConfiguration {
        var unet = unet
        if concatenateReference { unet.inputChannels *= 2 }
        return unet
    }
}

extension NoiseSchedule {
    /// The spacing of a model's sampling steps: trailing for a distilled one, which learnt those, and for others
    /// what suits the schedule.
    public func timestepSpacing(for model: LoopyConfiguration) -> Solver.TimestepSpacing {
        model.stage == .distilled ? .trailing : timestepSpacing
    }
}

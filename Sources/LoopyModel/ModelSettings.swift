import Settings

// What can be set of a model, in training and in generating.

extension LoopyConfiguration: DescribedSettings {
    public static var settings: [Setting<LoopyConfiguration>] {
        [
            .choice(
                "stage", \.stage,
                "The stage of training: image, single frames without temporal layers and audio; video, "
                    + "everything; distilled, which learns from a model of the stage video to sample in few "
                    + "steps without guidance."),
            .number(
                "distilled_steps", \.distilledSteps, in: 1...1000, unit: "steps",
                "The sampling steps of a distilled model, of one pass each; of no use in other stages."
            ),
            .number(
                "latent_channels", \.latentChannels, in: 1...1024, "The channels of the latents."),
            .list(
                "channels", \.channels, in: 1...16_384, count: 1...8,
                "The channels of the U-Nets by resolution, from the finest."),
            .list(
                "attention", \.attention, count: 1...8,
                "Whether spatial attention stands at each of these resolutions; the middle always has "
                    + "it."),
            .number(
                "layers_per_block", \.layersPerBlock, in: 1...64,
                "The layers of a resolution on the way down; there is one more on the way up."),
            .number(
                "heads", \.heads, in: 1...1024, "The heads of every attention in the U-Nets."),
            .number(
                "norm_groups", \.normGroups, in: 1...1024, "The groups of group normalisation."),
            .number("frames", \.frames, in: 1...1024, unit: "frames", "The frames of a window."),
            .group("segments", \.segments),
            .number(
                "speech_layers", \.speechLayers, in: 1...1024,
                "The layers of a frame's speech features."),
            .number(
                "speech_channels", \.speechChannels, in: 1...65_536,
                "The channels of a frame's speech features."),
            .number(
                "audio_width", \.audioWidth, in: 1...65_536, "The channels of an audio token."),
            .group("motion_latents", \.motionLatents),
            .group("readings", \.readings),
            .flag(
                "concatenate_reference", \.concatenateReference,
                "Whether the denoising net sees the portrait's latents, too, behind the noisy ones of each "
                    + "frame: not in the paper."),
        ]
    }

    public var conflict: String? {
        if channels.count != attention.count {
            return "attention: has \(attention.count) truth values for the \(channels.count) "
                + "resolutions that channels names"
        }
        for width in channels where width % normGroups != 0 || width % heads != 0 {
            return "channels: \(width) is no multiple of norm_groups (\(normGroups)) and heads "
                + "(\(heads))"
        }
        return nil
    }
}

extension TemporalSegments: DescribedSettings {
    public static var settings: [Setting<TemporalSegments>] {
        [
            .number(
                "stride", \.stride, in: 1...1024,
                "The motion frames that each segment of the frames before the window yields."),
            .number(
                "ratio", \.ratio, in: 1...1024,
                "The factor by which a segment is longer than the one after it."),
            .number(
                "motion_frames", \.motionFrames, in: 0...10_000, unit: "frames",
                "The frames before the window that are looked at."),
            .choice(
                "abstraction", \.abstraction,
                "What stands for a part of a segment: its middle frame, the mean of its frames, or one "
                    + "of them, drawn anew each time."),
        ]
    }
}

extension AudioToLatents.Configuration: DescribedSettings {
    public static var settings: [Setting<AudioToLatents.Configuration>] {
        [
            .number(
                "embeddings", \.embeddings, in: 1...65_536,
                "The learnable embeddings that conditions attend to."),
            .number("width", \.width, in: 1...65_536, "The channels of an embedding."),
            .number("heads", \.heads, in: 1...1024, "The heads of the attention."),
            .flag(
                "qk_norm", \.qkNorm,
                "Whether queries and keys are normalised, head by head, so that attention cannot end "
                    + "at a single embedding."),
            .flag(
                "mouth_head", \.mouthHead,
                "Whether there is a layer that reads the mouth's shape from motion latents, which "
                    + "train.mouth_shape_weight trains."),
        ]
    }

    public var conflict: String? {
        width % heads == 0 ? nil : "width: \(width) is no multiple of heads (\(heads))"
    }
}

extension ConditionMask.Probabilities: DescribedSettings {
    public static var settings: [Setting<ConditionMask.Probabilities>] {
        [
            .number("audio", \.audio, in: 0...1, "How often the speech is masked."),
            .number(
                "motion_latents", \.motionLatents, in: 0...1,
                "How often the motion latents are masked."),
            .number(
                "reference", \.reference, in: 0...1,
                "How often the reference is dropped, and the motion frames with it."),
            .number(
                "motion_frames", \.motionFrames, in: 0...1,
                "How often the motion frames are masked."),
            .flag(
                "joint", \.joint,
                "Whether a sample whose speech is masked has its motion latents from speech too: the "
                    + "state that guidance subtracts."),
        ]
    }
}

extension Guidance: DescribedSettings {
    public static var settings: [Setting<Guidance>] {
        [
            .number(
                "audio_ratio", \.audioRatio, in: -1000...1000, "How strongly the speech guides."),
            .number(
                "reference_ratio", \.referenceRatio, in: -1000...1000,
                "How strongly the portrait guides."),
            .number(
                "first", \.first, in: 0...1,
                "Where guidance begins, from 0, the noise, to 1, the picture. Steps without guidance "
                    + "take one pass instead of three."),
            .number("last", \.last, in: 0...1, "Where guidance ends."),
            .number(
                "rescale", \.rescale, in: 0...1,
                "How much of the contrast that guidance adds is taken back."),
        ]
    }

    public var conflict: String? {
        first <= last ? nil : "first: \(first) is later than last, \(last)"
    }
}

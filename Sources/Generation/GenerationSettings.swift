import Curation
import Diffusion
import Features
import LoopyModel
import Media

/// Settings of `loopy-generate`: the `generate` section of a file, or that section alone. The defaults
/// are the paper's.
public struct GenerationSettings: Codable, Sendable {
    public var seed = 0
    /// Of DDIM.
    public var steps = 25
    /// Which of the schedule's steps are taken: trailing where the schedule ends in pure noise, which it
    /// would leave out otherwise, and leading elsewhere; unless it is said.
    public var spacing = Spacing.automatic
    /// DDIM's η: 0 draws no noise on the way.
    public var eta = 0.0
    public var guidance = Guidance()
    public var passes = Passes.automatic
    /// Of matrix products and convolutions.
    public var precision = MemoryEstimate.Precision.float32
    /// "cpu", "cuda:0".
    public var device = "cpu"
    /// What the portrait must be like.
    public var rules = Rules.portrait
    /// How it is cropped.
    public var clips = ClipSettings()
    /// What the dataset does not say of the features that the model was trained on.
    public var speech = SpeechSettings()
    public var latents = LatentsSettings()
    /// Of the video; its side is that of the pictures which the model makes.
    public var video = VideoEncoding()

    public enum Spacing: String, Codable, Sendable {
        case automatic, leading, trailing
    }

    /// How the passes of guidance run: the same video, up to rounding.
    public enum Passes: String, Codable, Sendable {
        /// Together on an accelerator, apart on a processor.
        case automatic
        /// Those that see the reference as one batch: more memory.
        case together
        /// One after another.
        case apart
    }

    public init() {}

    func spacing(for schedule: NoiseSchedule) -> DDIM.TimestepSpacing {
        switch spacing {
        case .automatic: schedule.settings.rescaleBetasZeroSnr ? .trailing : .leading
        case .leading: .leading
        case .trailing: .trailing
        }
    }

    var runsTogether: Bool {
        switch passes {
        case .automatic: device != "cpu"
        case .together: true
        case .apart: false
        }
    }
}

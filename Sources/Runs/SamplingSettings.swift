import LoopyModel
import Settings

/// How videos are sampled from a model. The defaults are the paper's.
public struct SamplingSettings: DescribedSettings, Equatable {
    /// The number of DDIM steps.
    public var numInferenceSteps = 25
    /// How strongly the conditions guide, and in which of the steps.
    public var guidance = Guidance()

    public init() {}

    public static var settings: [Setting<SamplingSettings>] {
        [
            .number(
                "num_inference_steps", \.numInferenceSteps, in: 1...100_000, unit: "steps",
                "The number of DDIM's steps, at most that of the noise schedule."),
            .group("guidance", \.guidance),
        ]
    }
}

import Diffusion
import LoopyModel
import Settings

/// How videos are sampled from a model. The defaults are the paper's.
public struct SamplingSettings: DescribedSettings, Equatable {
    /// How a picture is found from noise.
    public var solver = Solver.Method.ddim
    /// The number of its steps.
    public var numInferenceSteps = 25
    /// How strongly the conditions guide, and in which of the steps.
    public var guidance = Guidance()
    /// Whether the first clip has the portrait for the frames before it.
    public var startsFromPortrait = false

    public init() {}

    /// DDIM steps of one pass each.
    public static func distilled(steps: Int) -> SamplingSettings {
        var sampling = SamplingSettings()
        sampling.numInferenceSteps = steps
        (sampling.guidance.audioRatio, sampling.guidance.referenceRatio) = (1, 1)
        return sampling
    }

    public static var settings: [Setting<SamplingSettings>] {
        [
            .choice(
                "solver", \.solver,
                "How a picture is found from noise: ddim, as in the paper, or dpm_solver (DPM-Solver++ 2M) "
                    + "and unipc, which come as far in fewer steps."),
            .number(
                "num_inference_steps", \.numInferenceSteps, in: 1...100_000, unit: "steps",
                "The number of the solver's steps, at most that of the noise schedule."),
            .group("guidance", \.guidance),
            startsFromPortrait(\.startsFromPortrait),
        ]
    }

    package static func startsFromPortrait<Owner>(
        _ path: KeyPath<Owner, Bool>
    ) -> Setting<Owner> {
        .flag(
            "starts_from_portrait", path,
            "Whether the first clip has the portrait for the frames before it, as if the person had not moved; "
                + "in the paper it has none.")
    }
}

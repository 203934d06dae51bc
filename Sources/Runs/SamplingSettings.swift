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
        ]
    }
}

import Runs
import Settings

extension GenerationSettings: DescribedSettings {
    public static var settings: [Setting<GenerationSettings>] {
        [
            .number("seed", \.seed, in: 0...Int.max, "Another seed gives another video."),
            .choice(
                "solver", \.solver,
                "How a picture is found from noise: ddim, as in the paper, or dpm_solver (DPM-Solver++ 2M) "
                    + "and unipc, which come as far in fewer steps."),
            .number(
                "num_inference_steps", \.numInferenceSteps, in: 1...100_000, unit: "steps",
                "The number of the solver's steps, at most that of the model's noise schedule."),
            .choice(
                "timestep_spacing", \.timestepSpacing,
                "Which timesteps of the noise schedule are taken; automatic takes trailing ones where "
                    + "the schedule ends in pure noise, and leading ones elsewhere."),
            .number(
                "eta", \.eta, in: 0...1,
                "DDIM's η: 0 draws no noise on the way; the other solvers draw none."),
            .group("guidance", \.guidance),
            SamplingSettings.startsFromPortrait(\.startsFromPortrait),
            .number(
                "cache_interval", \.cacheInterval, in: 1...100, unit: "steps",
                "The steps for which the deep layers of the denoising net run once, the others only the finest "
                    + "(DeepCache); 1 is exact, more is faster and only near."),
            .choice(
                "passes", \.passes,
                "How the passes of guidance run, for the same video up to rounding: together takes more "
                    + "memory; automatic is together on a GPU, apart on a processor."),
            .choice(
                "precision", \.precision,
                "The precision of matrix products and convolutions; automatic is bfloat16 on a GPU, and "
                    + "float32 on a processor. On a GPU, float32 takes 10 bits of each factor (TF32)."
            ),
            .device("device", \.device, "The device that generates."),
            .group("rules", \.rules),
            .group("clips", \.clips),
            .group("speech", \.speech),
            .group("latents", \.latents),
            .group("video", \.video),
        ]
    }

    public static var formerKeys: [String: String] {
        ["steps": "num_inference_steps", "spacing": "timestep_spacing"]
    }
}

import Settings

extension NoiseSchedule.Settings: DescribedSettings {
    public static var settings: [Setting<NoiseSchedule.Settings>] {
        [
            .number(
                "num_train_timesteps", \.numTrainTimesteps, in: 2...100_000,
                "The number of timesteps of the noise schedule."),
            .choice(
                "beta_schedule", \.betaSchedule,
                "How β grows from its start to its end: linearly, or its square root does."),
            .number("beta_start", \.betaStart, in: 1e-9...0.999, "The first β."),
            .number("beta_end", \.betaEnd, in: 1e-9...0.999, "The last β."),
            .choice(
                "prediction_type", \.predictionType,
                "What the network predicts: the noise ε, or the velocity v = √ᾱ ε - √(1 - ᾱ) z_0."),
            .flag(
                "rescale_betas_zero_snr", \.rescaleBetasZeroSnr,
                "Whether nothing of the signal is left at the last timestep; needs prediction_type: "
                    + "v_prediction."),
        ]
    }

    public static var formerKeys: [String: String] {
        [
            "steps": "num_train_timesteps", "growth": "beta_schedule", "first_beta": "beta_start",
            "last_beta": "beta_end", "prediction": "prediction_type",
            "zero_terminal_snr": "rescale_betas_zero_snr",
        ]
    }

    public var conflict: String? {
        if betaStart > betaEnd {
            return "beta_start: \(betaStart) is more than beta_end, \(betaEnd)"
        }
        return rescaleBetasZeroSnr && predictionType != .vPrediction
            ? "rescale_betas_zero_snr: needs prediction_type: v_prediction, for at the last timestep "
                + "noise is all there is to see" : nil
    }
}

import Diffusion
import Errors
import Foundation
import Testing
import Torch

/// Against diffusers' `DDPMScheduler` and `DDIMScheduler`.
@Suite struct NoiseScheduleTests {
    static func schedule(
        _ name: String, _ prediction: NoiseSchedule.PredictionType = .epsilon
    ) throws -> NoiseSchedule {
        var settings = NoiseSchedule.Settings()
        if name.hasPrefix("linear") {
            settings.betaSchedule = .linear
            settings.betaStart = 1e-4
            settings.betaEnd = 0.02
        }
        settings.rescaleBetasZeroSnr = name.hasSuffix("zero_snr")
        settings.predictionType = settings.rescaleBetasZeroSnr ? .vPrediction : prediction
        return try NoiseSchedule(settings)
    }

    static let names = ["scaled_linear", "linear", "scaled_linear_zero_snr", "linear_zero_snr"]

    @Test("alphas_cumprod agrees with diffusers", arguments: names)
    func alphasCumprodAgrees(name: String) throws {
        let cases = try Cases("schedule.safetensors")
        let alphasCumprod = Tensor(try Self.schedule(name).alphasCumprod.map { Float($0) })
        #expect(relativeError(alphasCumprod, try cases("alphas_cumprod." + name)) < 1e-6)
        if name.hasSuffix("zero_snr") { #expect(try Self.schedule(name).alphasCumprod[999] == 0) }
    }

    @Test("noised latents and targets agree with diffusers", arguments: names)
    func trainingAgrees(name: String) throws {
        let cases = try Cases("schedule.safetensors")
        let schedule = try Self.schedule(name, .vPrediction)
        let timesteps = try cases("training.\(name).timesteps").array(of: Int64.self).map {
            Int($0)
        }
        let (clean, noise) = (
            try cases("training.\(name).sample"), try cases("training.\(name).noise")
        )
        let noisy = schedule.addNoise(clean, noise, at: timesteps)
        #expect(relativeError(noisy, try cases("training.\(name).noisy")) < 1e-5)
        let velocity = schedule.target(clean, noise, at: timesteps)
        #expect(relativeError(velocity, try cases("training.\(name).velocity")) < 1e-5)
        guard !name.hasSuffix("zero_snr") else { return }
        #expect(try Self.schedule(name).target(clean, noise, at: timesteps).isEqual(to: noise))
    }

    @Test("min-SNR weights agree with the published formula", arguments: names)
    func weightsAgree(name: String) throws {
        let cases = try Cases("schedule.safetensors")
        let predictions: [(NoiseSchedule.PredictionType, String)] =
            name.hasSuffix("zero_snr")
            ? [(.vPrediction, "v_prediction")]
            : [(.epsilon, "epsilon"), (.vPrediction, "v_prediction")]
        for (prediction, published) in predictions {
            let schedule = try Self.schedule(name, prediction)
            let weights = schedule.minSNRWeights(at: Array(0..<1000), gamma: 5)
            let expected = try cases("min_snr.\(published).\(name)")
            #expect(relativeError(Tensor(weights.map(Float.init)), expected) < 1e-5)
        }
    }

    @Test(
        "DDIM's trajectories agree with diffusers",
        arguments: [
            ("leading_25", Solver.TimestepSpacing.leading, 25, 0.0), ("leading_7", .leading, 7, 0),
            ("leading_25_noisy", .leading, 25, 0.7), ("leading_7_noisy", .leading, 7, 0.7),
            ("trailing_25", .trailing, 25, 0), ("trailing_7", .trailing, 7, 0),
            ("trailing_25_noisy", .trailing, 25, 0.7), ("trailing_7_noisy", .trailing, 7, 0.7),
        ])
    func trajectoriesAgree(
        name: String, spacing: Solver.TimestepSpacing, steps: Int, eta: Double
    ) throws {
        let cases = try Cases("schedule.safetensors")
        let schedule = try Self.schedule(
            spacing == .leading ? "scaled_linear" : "scaled_linear_zero_snr")
        let solver = try Solver(
            schedule, numInferenceSteps: steps, timestepSpacing: spacing, eta: eta)
        try expectTrajectory(cases, "ddim." + name, solver)
    }

    @Test(
        "multistep solvers' trajectories agree with diffusers",
        arguments: [Solver.Method.dpmSolver, .unipc],
        [
            ("leading", Solver.TimestepSpacing.leading, 25), ("leading", .leading, 7),
            ("trailing", .trailing, 25), ("trailing", .trailing, 5),
        ])
    func multistepTrajectoriesAgree(
        method: Solver.Method, spacing: (name: String, kind: Solver.TimestepSpacing, steps: Int)
    ) throws {
        let solver = try Solver(
            Self.schedule(
                spacing.kind == .leading ? "scaled_linear" : "scaled_linear_zero_snr"), method,
            numInferenceSteps: spacing.steps, timestepSpacing: spacing.kind)
        try expectTrajectory(
            Cases("schedule.safetensors"), "\(method.rawValue).\(spacing.name)_\(spacing.steps)",
            solver)
    }

    private func expectTrajectory(_ cases: Cases, _ name: String, _ solver: Solver) throws {
        let timesteps = try cases(name + ".timesteps").array(of: Int64.self)
        #expect(solver.timesteps == timesteps.map { Int($0) })
        let expected = try cases(name + ".samples")
        var path = solver.begin(try cases(name + ".start"))
        while let timestep = path.timestep {
            let index = path.index
            let noise = solver.eta > 0 ? try cases(name + ".noise")[index] : nil
            path.step(
                prediction: (path.latents / 2 + Double(timestep) / 1000).tanh(), noise: noise)
            #expect(relativeError(path.latents, expected[index]) < 1e-4, "step \(index)")
        }
        #expect(path.index == solver.timesteps.count)
    }

    @Test func settingsThatMakeNoScheduleAreSaid() throws {
        var settings = NoiseSchedule.Settings()
        settings.rescaleBetasZeroSnr = true
        #expect(throws: LoopyError.self) { try NoiseSchedule(settings) }
        settings = NoiseSchedule.Settings()
        settings.betaEnd = 1
        #expect(throws: LoopyError.self) { try NoiseSchedule(settings) }
        let schedule = try NoiseSchedule()
        for (steps, eta) in [(0, 0.0), (1001, 0), (25, -0.1), (25, 2)] {
            #expect(throws: LoopyError.self) {
                try Solver(schedule, numInferenceSteps: steps, eta: eta)
            }
        }
        #expect(try Solver(schedule, numInferenceSteps: 1000).timesteps.count == 1000)
        #expect(throws: LoopyError.self) {
            try Solver(schedule, .unipc, numInferenceSteps: 10, eta: 0.5)
        }
        for method in [Solver.Method.dpmSolver, .unipc] {
            #expect(throws: LoopyError.self) {
                try Solver(schedule, method, numInferenceSteps: 999)
            }
            let timesteps = try Solver(schedule, method, numInferenceSteps: 998).timesteps
            #expect(Set(timesteps).count == 998 && timesteps.allSatisfy { 0..<1000 ~= $0 })
        }
    }

    @Test func anotherScheduleIsRefusedByName() throws {
        var stored = NoiseSchedule.Settings()
        stored.predictionType = .vPrediction
        let schedule = try NoiseSchedule()
        let error = #expect(throws: LoopyError.self) {
            try schedule.requireSame(as: stored, in: "run/checkpoint")
        }
        #expect(error?.message.contains("prediction v_prediction") == true)
        #expect(error?.message.contains("prediction epsilon") == true)
        try schedule.requireSame(as: NoiseSchedule.Settings(), in: "run/checkpoint")
    }

    @Test func settingsAreStoredAsTheyAre() throws {
        var settings = NoiseSchedule.Settings()
        settings.predictionType = .vPrediction
        settings.rescaleBetasZeroSnr = true
        let stored = try JSONEncoder().encode(settings)
        #expect(try JSONDecoder().decode(NoiseSchedule.Settings.self, from: stored) == settings)
    }
}

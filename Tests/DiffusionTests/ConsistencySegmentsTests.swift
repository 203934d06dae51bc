import Diffusion
import Errors
import Testing
import Torch

/// Against DDIM in terms of clean data and noise, and against normal data, of which the way from noise is known.
@Suite struct ConsistencySegmentsTests {
    /// Stable Diffusion's schedule, or the same with an end in pure noise.
    static func schedule(_ prediction: NoiseSchedule.PredictionType) throws -> NoiseSchedule {
        try NoiseScheduleTests.schedule(
            prediction == .epsilon ? "scaled_linear" : "scaled_linear_zero_snr")
    }

    @Test func segmentsBeginWhereDDIMsStepsDo() throws {
        let schedule = try Self.schedule(.vPrediction)
        let segments = try ConsistencySegments(schedule, count: 4, solverSteps: 20)
        let beginnings = (0..<20).filter { $0 == 0 || segments.endsSegment($0 - 1) }
        let few = try Solver(schedule, numInferenceSteps: 4, timestepSpacing: .trailing)
        #expect(beginnings.map(segments.timestep) == few.timesteps)
        // Every timestep of the schedule belongs to the step that ends at the next one below.
        for timestep in 0..<1000 {
            let step = segments.solverStep(of: timestep)
            let end = step == 19 ? -1 : segments.timestep(step + 1)
            #expect(end < timestep && timestep <= segments.timestep(step))
        }
        #expect(segments.endsSegment(19))
    }

    @Test func numbersThatMakeNoSegmentsAreRefused() throws {
        let schedule = try Self.schedule(.epsilon)
        for (count, steps) in [(3, 20), (4, 30), (1, 7), (0, 10), (4, 2)] {
            #expect(throws: LoopyError.self) {
                try ConsistencySegments(schedule, count: count, solverSteps: steps)
            }
        }
    }

    /// DDIM by what it sees of clean data and noise.
    private func ddim(
        _ z: Double, _ prediction: Double, _ type: NoiseSchedule.PredictionType,
        from start: Double, to end: Double
    ) -> Double {
        let (alpha, sigma) = (start.squareRoot(), (1 - start).squareRoot())
        let clean: Double, noise: Double
        switch type {
        case .epsilon: (clean, noise) = ((z - sigma * prediction) / alpha, prediction)
        case .vPrediction:
            (clean, noise) = (alpha * z - sigma * prediction, sigma * z + alpha * prediction)
        }
        return end.squareRoot() * clean + (1 - end).squareRoot() * noise
    }

    @Test(arguments: NoiseSchedule.PredictionType.allCases)
    func oneStepWithTheTargetLeadsWhereTwoStepsLead(type: NoiseSchedule.PredictionType) throws {
        let schedule = try Self.schedule(type)
        let segments = try ConsistencySegments(schedule, count: 5, solverSteps: 25)
        // The first solver step of a segment, one in its middle, and its last; and the last of all.
        let steps = [0, 7, 9, 24], z = [0.7, -1.1, 0.4, 0.9], solved = [0.3, 0.8, -0.5, 0.2]
        let model = [-0.6, 0.5, 7, 7]
        var asked: [Int] = []
        let target = segments.target(
            Tensor(z, shape: [4, 1, 1]), solved: Tensor(solved, shape: [4, 1, 1]), steps: steps
        ) { _, timesteps in
            asked = timesteps
            return Tensor(model, shape: [4, 1, 1])
        }.array(of: Double.self)
        #expect(asked[0] == 959 && asked[1] == 679)
        let levels = schedule.alphasCumprod
        for (index, step) in steps.enumerated() {
            let start = levels[999 - 40 * step]
            let next = levels[max(0, 999 - 40 * (step + 1))]
            let end = levels[max(0, 999 - 200 * (step / 5 + 1))]
            let middle = ddim(z[index], solved[index], type, from: start, to: next)
            // The step that ends its segment is the solver's alone.
            let expected =
                segments.endsSegment(step)
                ? middle : ddim(middle, model[index], type, from: next, to: end)
            let reached = ddim(z[index], target[index], type, from: start, to: end)
            #expect(abs(reached - expected) < 1e-5, "\(step)")
        }
    }

    @Test func segmentsOfOneStepAskForWhatTheSolverSees() throws {
        let segments = try ConsistencySegments(
            Self.schedule(.vPrediction), count: 20, solverSteps: 20)
        let solved = Tensor([1.0, 2.0], shape: [2, 1])
        let target = segments.target(solved * 3, solved: solved, steps: [0, 19]) { _, _ in
            Issue.record("the model is asked")
            return solved
        }
        #expect(target.isEqual(to: solved))
    }

    /// The last step of a solver that takes them all begins where it ends, at timestep 0.
    @Test(arguments: NoiseSchedule.PredictionType.allCases)
    func aStepThatLeadsNowhereIsSolved(type: NoiseSchedule.PredictionType) throws {
        let segments = try ConsistencySegments(Self.schedule(type), count: 4, solverSteps: 1000)
        let solved = Tensor([1.0, 2.0], shape: [2, 1])
        let target = segments.target(solved * 3, solved: solved, steps: [0, 999]) { latents, _ in
            latents * 0.5
        }
        #expect(target.isFinite)
        #expect(target[1].scalar == 2)
    }

    /// Data of N(mean, deviation²): the best prediction is known, and the flow from noise to data too: it moves
    /// values along the quantiles, z_t = α m + √(α² d² + σ²) u with the same u at every t.
    @Test(arguments: NoiseSchedule.PredictionType.allCases)
    func whatIsConsistentLeadsToTheEndOfTheFlow(type: NoiseSchedule.PredictionType) throws {
        let schedule = try Self.schedule(type)
        let (mean, deviation) = (0.8, 0.4)
        func best(_ z: Tensor, _ timestep: Int) -> Tensor {
            let level = schedule.alphasCumprod[timestep]
            let (alpha, sigma) = (level.squareRoot(), (1 - level).squareRoot())
            let share = alpha * deviation * deviation / (level * deviation * deviation + 1 - level)
            let clean = (z - alpha * mean) * share + mean
            let noise = (z - clean * alpha) / sigma
            return type == .epsilon ? noise : noise * alpha - clean * sigma
        }
        let segments = try ConsistencySegments(schedule, count: 4, solverSteps: 200)
        /// The model that meets its target everywhere.
        func consistent(_ z: Tensor, _ timestep: Int) -> Tensor {
            segments.target(
                z, solved: best(z, timestep), steps: [segments.solverStep(of: timestep)]
            ) { consistent($0, $1[0]) }
        }
        func sampled(_ steps: Int, _ model: (Tensor, Int) -> Tensor) throws -> Tensor {
            let solver = try Solver(
                schedule, numInferenceSteps: steps, timestepSpacing: .trailing)
            var path = solver.begin(Tensor([-2.0, -0.5, 0.3, 1.7], shape: [1, 4]))
            while let timestep = path.timestep {
                path.step(prediction: model(path.latents, timestep))
            }
            return path.latents
        }
        func spread(_ level: Double) -> Double {
            (level * deviation * deviation + 1 - level).squareRoot()
        }
        let (first, last) = (schedule.alphasCumprod[999], schedule.alphasCumprod[0])
        let quantiles =
            (Tensor([-2.0, -0.5, 0.3, 1.7], shape: [1, 4]) - first.squareRoot() * mean)
            / spread(first)
        let flow = quantiles * spread(last) + last.squareRoot() * mean

        let few = try sampled(4, consistent)
        #expect(relativeError(few, try sampled(200, best)) < 1e-5)
        let plain = relativeError(try sampled(4, best), flow)
        #expect(relativeError(few, flow) < 0.015)
        #expect(plain > 5 * relativeError(few, flow), "\(plain)")
    }
}

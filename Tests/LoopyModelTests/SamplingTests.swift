import Diffusion
import LoopyModel
import Testing
import Torch

@Suite struct SamplingTests {
    private let reference: Reference
    private let model: LoopyNet
    /// Of four samples, as in use: motion latents come from speech.
    private let conditions: Conditions

    init() throws {
        reference = try Reference()
        model = try reference.model().0
        var conditions = try reference.conditions("audio")
        conditions.movement = nil
        self.conditions = conditions
    }

    /// One of the three passes, by the model as it is trained.
    private func pass(_ latents: Tensor, _ timestep: Int, audio: Bool, reference: Bool) -> Tensor {
        var changed = conditions
        for sample in changed.masks.indices {
            changed.masks[sample].audio = !audio
            changed.masks[sample].reference = !reference
        }
        return model(latents, Tensor([Int64](repeating: Int64(timestep), count: 4)), changed)
    }

    private func formula(_ latents: Tensor, _ timestep: Int) -> Tensor {
        let all = pass(latents, timestep, audio: true, reference: true)
        let silent = pass(latents, timestep, audio: false, reference: true)
        let base = pass(latents, timestep, audio: false, reference: false)
        return (all - silent) * 5.0 + (silent - base) * 3.0 + base
    }

    @Test func guidanceIsTheSumOfThreePasses() throws {
        let latents = try reference.latents
        let all = pass(latents, 400, audio: true, reference: true)
        let silent = pass(latents, 400, audio: false, reference: true)
        #expect(relativeError(silent, all) > 1e-3)
        #expect(relativeError(pass(latents, 400, audio: false, reference: false), silent) > 1e-3)
        let guided = GuidedModel(model, conditions, Guidance())
        #expect(relativeError(guided(latents, timestep: 400), formula(latents, 400)) < 1e-5)
        // Where a step is not guided, and without guidance, one pass is enough.
        #expect(guided(latents, timestep: 400, isGuided: false).isEqual(to: all))
        var none = Guidance()
        (none.audioRatio, none.referenceRatio) = (1, 1)
        #expect(
            GuidedModel(model, conditions, none)(latents, timestep: 400).isEqual(to: all * 1.0))
    }

    /// diffusers' `rescale_noise_cfg`, written out.
    @Test func rescalingTakesBackTheContrastThatGuidanceAdds() throws {
        let latents = try reference.latents
        var guidance = Guidance()
        guidance.rescale = 0.7
        let rescaled = GuidedModel(model, conditions, guidance)(latents, timestep: 400)
        let guided = formula(latents, 400)
        let all = pass(latents, 400, audio: true, reference: true)
        func deviation(_ x: Tensor) -> Double {
            let values = x.array(of: Float.self).map(Double.init)
            let mean = values.reduce(0, +) / Double(values.count)
            let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            return (squares / Double(values.count - 1)).squareRoot()
        }
        for sample in 0..<latents.length(0) {
            let one = guided[sample..<(sample + 1)]
            let factor = deviation(all[sample..<(sample + 1)]) / deviation(one)
            #expect(abs(factor - 1) > 0.01)
            #expect(
                relativeError(
                    rescaled[sample..<(sample + 1)], one * (0.7 * factor) + one * 0.3) < 1e-5)
        }
        // All of it, also where the speech itself has no weight.
        (guidance.audioRatio, guidance.rescale) = (0, 1)
        let whole = GuidedModel(model, conditions, guidance)(latents, timestep: 400)
        #expect(abs(deviation(whole[0..<1]) / deviation(all[0..<1]) - 1) < 1e-4)
    }

    @Test func passesInOneBatchEqualPassesOneByOne() throws {
        let latents = try reference.latents
        func guided(_ conditions: Conditions, _ latents: Tensor, together: Bool) -> Tensor {
            GuidedModel(model, conditions, Guidance(), together: together)(latents, timestep: 700)
        }
        #expect(
            relativeError(
                guided(conditions, latents, together: true),
                guided(conditions, latents, together: false)) < 1e-5)
        // One sample, with some of its motion frames missing, as at a video's beginning.
        var one = Conditions(reference: conditions.reference[0..<1])
        one.speech = conditions.speech.map { $0[0..<1] }
        one.motionFrames = conditions.motionFrames.map {
            .init(
                latents: $0.latents[0..<1],
                isPresent: [$0.isPresent[0].indices.map { $0 < 2 }])
        }
        #expect(
            relativeError(
                guided(one, latents[0..<1], together: true),
                guided(one, latents[0..<1], together: false)) < 1e-5)
    }

    @Test func zerosForSpeechAreAudioMasked() throws {
        let latents = try reference.latents
        let silent = pass(latents, 400, audio: false, reference: true)
        var zeroed = conditions
        zeroed.speech = conditions.speech.map { $0 * 0.0 }
        let timesteps = Tensor([Int64](repeating: 400, count: 4))
        #expect(model(latents, timesteps, zeroed).isEqual(to: silent))
    }

    @Test(arguments: [0.0, 0.6]) func samplingIsDDIMOfTheGuidedModel(eta: Double) throws {
        let schedule = try NoiseSchedule()
        let solver = try Solver(schedule, numInferenceSteps: 3, eta: eta)
        let start = try reference.latents
        let sampled = GuidedModel(model, conditions, Guidance()).sample(
            start, solver, generator: try Generator(seed: 5))
        let generator = try Generator(seed: 5)
        var path = solver.begin(start)
        while let timestep = path.timestep {
            let noise = eta > 0 ? Tensor.normal(start.shape, generator: generator) : nil
            path.step(prediction: formula(path.latents, timestep), noise: noise)
        }
        #expect(relativeError(sampled, path.latents) < 1e-4)
    }

    @Test func deepFeaturesOfTheSameStepMakeTheSamePrediction() throws {
        let latents = try reference.latents, other = latents * 0.9
        let timesteps = Tensor([Int64](repeating: 400, count: 4))
        let encoded = model.encode(conditions), deep = DeepFeatures()
        func predict(_ latents: Tensor, _ deep: DeepFeatures? = nil) -> Tensor {
            model.predict(latents, timesteps, encoded, deep: deep)
        }
        let whole = predict(latents)
        #expect(predict(latents, deep).isEqual(to: whole))
        #expect(predict(latents, deep).isEqual(to: whole))
        // The finest layers see the latents, the others do not.
        let near = predict(other, deep)
        #expect(relativeError(near, whole) > 1e-3)
        #expect(relativeError(near, predict(other)) > 1e-6)
        deep.forget()
        #expect(predict(other, deep).isEqual(to: predict(other)))
    }

    @Test(arguments: [false, true]) func deepLayersRunOnceInSoManySteps(together: Bool) throws {
        let solver = try Solver(NoiseSchedule(), numInferenceSteps: 5)
        let start = try reference.latents
        let sampled = GuidedModel(model, conditions, Guidance(), together: together).sample(
            start, solver, generator: try Generator(seed: 5), cacheInterval: 2)

        let states: [(audio: Bool, reference: Bool, weight: Double)] = [
            (true, true, 5), (false, true, -2), (false, false, -2),
        ]
        let passes = states.map { state in
            var changed = conditions
            for sample in changed.masks.indices {
                changed.masks[sample].audio = !state.audio
                changed.masks[sample].reference = !state.reference
            }
            return (model.encode(changed), DeepFeatures(), state.weight)
        }
        var path = solver.begin(start)
        while let timestep = path.timestep {
            let timesteps = Tensor([Int64](repeating: Int64(timestep), count: 4))
            let parts = passes.map { encoded, deep, weight in
                if path.index.isMultiple(of: 2) { deep.forget() }
                return weight * model.predict(path.latents, timesteps, encoded, deep: deep)
            }
            path.step(prediction: parts[0] + parts[1] + parts[2], noise: nil)
        }
        #expect(relativeError(sampled, path.latents) < 1e-4)
    }

    @Test func guidanceOnPartOfTheStepsIsWithinIt() {
        var guidance = Guidance()
        (guidance.first, guidance.last) = (0.2, 0.6)
        #expect(
            (0..<5).map { guidance.guides(step: $0, of: 5) } == [false, true, true, false, false])
        #expect((0..<5).allSatisfy { Guidance().guides(step: $0, of: 5) })
    }
}

import Diffusion
import LoopyModel
import Testing
import Torch

/// What must be the same however it is computed.
@Suite struct EquivalenceTests {
    /// A new model, as it is before its first step, and a plain net with the denoising net's weights.
    private func beginning() throws -> (LoopyNet, PlainUNet) {
        let configuration = Reference.small
        let store = ParameterStore(drawing: try Generator(seed: 1))
        let model = try LoopyNet(store.root, configuration)
        let plainStore = ParameterStore(drawing: try Generator(seed: 2))
        let plain = PlainUNet(plainStore.root, configuration.unet)
        for (name, weight) in plainStore.parameters {
            weight.assign(try #require(store["denoising_net." + name]))
        }
        return (model, plain)
    }

    @Test func aNewModelWithoutReferenceIsThePlainNetBitForBit() throws {
        let reference = try Reference()
        let (model, plain) = try beginning()
        let latents = try reference.latents
        var conditions = try reference.conditions("all")
        for sample in conditions.masks.indices { conditions.masks[sample].reference = true }
        let timesteps = Tensor([Int64(3), 999, 500, 41])
        let prediction = model(latents, timesteps, conditions)
        let expected = plain(
            latents.flattened(from: 0, through: 1), timesteps.repeatInterleave(3, along: 0))
        #expect(prediction.flattened(from: 0, through: 1).isEqual(to: expected))
    }

    @Test func theSecondStageBeginsAsTheFirstEnded() throws {
        let reference = try Reference()
        var first = reference.configuration
        first.stage = .image
        let generator = try Generator(seed: 3)
        let store = ParameterStore(drawing: generator)
        let firstModel = try LoopyNet(store.root, first)
        let whole = ParameterStore(drawing: generator)
        let secondModel = try LoopyNet(whole.root, reference.configuration)
        for (name, weight) in store.parameters {
            try #require(whole[name]).assign(weight)
        }
        var conditions = try reference.conditions("all")
        // Motion frames change no value, but the size of the reference net's batch, and with it the last
        // bits of its sums.
        conditions.motionFrames = nil
        var image = Conditions(reference: conditions.reference)
        image.masks = conditions.masks
        let latents = try reference.latents, timesteps = try reference.timesteps
        let expected = firstModel(latents, timesteps, image)
        #expect(secondModel(latents, timesteps, conditions).isEqual(to: expected))
    }

    @Test func aBatchMaskedSampleBySampleEqualsItsSamplesAlone() throws {
        let reference = try Reference()
        let (model, _) = try reference.model()
        let latents = try reference.latents, timesteps = try reference.timesteps
        for name in ["mixed", "partly_present", "all"] {
            let conditions = try reference.conditions(name)
            let batch = model(latents, timesteps, conditions)
            for sample in 0..<4 {
                let range = sample..<(sample + 1)
                let alone = model(latents[range], timesteps[range], conditions.alone(sample))
                #expect(relativeError(alone, batch[range]) < 1e-5, "\(name), sample \(sample)")
            }
        }
    }

    @Test func accumulatedGradientsAreThoseOfTheBatch() throws {
        let reference = try Reference()
        let (model, store) = try reference.model(recording: true)
        let latents = try reference.latents, timesteps = try reference.timesteps
        let conditions = try reference.conditions("mixed")
        let target = try reference("target")

        func gradients(_ run: () -> Void) -> [String: Tensor] {
            for (_, weight) in store.parameters { weight.gradient = nil }
            run()
            return Dictionary(
                uniqueKeysWithValues: store.parameters.map { name, weight in
                    (name, weight.gradient ?? weight.zerosLike())
                })
        }
        let whole = gradients {
            mseLoss(model(latents, timesteps, conditions), target).backward()
        }
        let accumulated = gradients {
            for sample in 0..<4 {
                let range = sample..<(sample + 1)
                let prediction = model(
                    latents[range], timesteps[range], conditions.alone(sample),
                    gradientCheckpointing: sample % 2 == 0)
                (mseLoss(prediction, target[range]) / 4).backward()
            }
        }
        let scale = whole.values.map { $0.norm().scalar }.max() ?? 1
        for (name, gradient) in whole {
            let difference = (gradient - (accumulated[name] ?? gradient * 0)).norm().scalar
            #expect(difference < 1e-4 * gradient.norm().scalar + 1e-6 * scale, "\(name)")
        }
    }

    @Test func recomputationChangesNoBitOfTheLossAndNoGradient() throws {
        let reference = try Reference()
        let (model, store) = try reference.model(recording: true)
        func run(_ gradientCheckpointing: Bool) throws -> (Tensor, [Tensor?]) {
            for (_, weight) in store.parameters { weight.gradient = nil }
            let schedule = try NoiseSchedule()
            let loss = model.loss(
                try reference.latents, noise: try reference("target"),
                timesteps: [1, 200, 600, 999], try reference.conditions("mixed"), schedule,
                gamma: 5, gradientCheckpointing: gradientCheckpointing)
            loss.backward()
            return (loss, store.parameters.map { $0.1.gradient?.copy() })
        }
        let (loss, gradients) = try run(false)
        let (again, recomputed) = try run(true)
        #expect(loss.isEqual(to: again))
        for (index, name) in store.names.enumerated() {
            switch (gradients[index], recomputed[index]) {
            case (let a?, let b?):
                // Summed in another order where several layers use one tensor.
                #expect(relativeError(b, a) < 1e-5 || a.norm().scalar < 1e-7, "\(name)")
            case (nil, nil): break
            default: Issue.record("\(name) has a gradient in one run only")
            }
        }
    }

    @Test func theFirstClipIsAStateThatTrainingVisits() throws {
        // No motion frames yet, all absent, and all masked: one state.
        let reference = try Reference()
        let (model, _) = try reference.model()
        let latents = try reference.latents, timesteps = try reference.timesteps
        var conditions = try reference.conditions("all")
        conditions.motionFrames?.isPresent = Array(
            repeating: Array(repeating: false, count: 4), count: 4)
        let absent = model(latents, timesteps, conditions)
        conditions.motionFrames = nil
        #expect(model(latents, timesteps, conditions).isEqual(to: absent))
        #expect(relativeError(absent, try reference("noise.motion_frames_masked")) < 1e-5)
    }
}

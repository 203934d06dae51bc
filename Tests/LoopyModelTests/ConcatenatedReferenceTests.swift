import LoopyModel
import Testing
import Torch

/// A denoising net that sees the reference image's latents beside the noisy ones.
@Suite struct ConcatenatedReferenceTests {
    private let reference: Reference
    private let latents: Tensor, timesteps: Tensor

    init() throws {
        reference = try Reference()
        latents = try reference.latents
        timesteps = try reference.timesteps
    }

    /// The reference's weights, and as the picture's either none or drawn ones.
    private func model(sees: Bool) throws -> LoopyNet {
        var configuration = reference.configuration
        configuration.concatenateReference = true
        let store = ParameterStore(drawing: try Generator(seed: 1))
        let model = try LoopyNet(store.root, configuration)
        let (_, whole) = try reference.model()
        let input = "denoising_net.conv_in.weight"
        for (name, weight) in store.parameters where name != input {
            weight.assign(try #require(whole[name]))
        }
        let own = try #require(whole[input]), wide = try #require(store[input])
        #expect(wide.shape == [8, 8, 3, 3])
        wide[.all, ..<4].assign(own)
        if !sees { wide[.all, 4...].assign(.zeros(own.shape)) }
        return model
    }

    private func prediction(_ model: LoopyNet, _ conditions: Conditions) -> Tensor {
        withoutGradient { model(latents, timesteps, conditions) }
    }

    @Test func withoutWeightsForThePictureItIsTheUsualNet() throws {
        let usual = try reference.model().model, wide = try model(sees: false)
        for name in ["all", "mixed"] {
            let conditions = try reference.conditions(name)
            #expect(
                relativeError(prediction(wide, conditions), prediction(usual, conditions)) < 1e-5)
        }
    }

    @Test func theNoisyLatentsComeFirstAndThenThePictureOfTheirSample() throws {
        let usual = try reference.model().model, wide = try model(sees: true)
        let conditions = try reference.conditions("all")
        #expect(
            relativeError(prediction(wide, conditions), prediction(usual, conditions)) > 1e-3)
        // A sample's picture is its own, in a batch and alone.
        let together = prediction(wide, conditions)
        for sample in 0..<4 {
            let range = sample..<(sample + 1)
            let alone = withoutGradient {
                wide(latents[range], timesteps[range], conditions.alone(sample))
            }
            #expect(relativeError(alone, together[range]) < 1e-5)
        }
    }

    @Test func aDroppedReferenceIsNotSeenHereEither() throws {
        let usual = try reference.model().model, wide = try model(sees: true)
        var conditions = try reference.conditions("all")
        for sample in [1, 2] { conditions.masks[sample].reference = true }
        let predicted = prediction(wide, conditions), without = prediction(usual, conditions)
        #expect(relativeError(predicted[1], without[1]) < 1e-5)
        #expect(relativeError(predicted[0], without[0]) > 1e-3)
        conditions.reference = conditions.reference + 1
        let other = prediction(wide, conditions)
        #expect(relativeError(other[1], predicted[1]) < 1e-5)
        #expect(relativeError(other[0], predicted[0]) > 1e-3)
    }

    @Test(arguments: [false, true])
    func guidanceShowsThePictureWhereTheReferenceIs(together: Bool) throws {
        let wide = try model(sees: true)
        var conditions = try reference.conditions("audio")
        conditions.movement = nil
        let expected = wide.guided(latents, timestep: 300, conditions)
        let guided = withoutGradient {
            GuidedModel(wide, conditions, Guidance(), together: together)(latents, timestep: 300)
        }
        #expect(relativeError(guided, expected) < 1e-5)
    }
}

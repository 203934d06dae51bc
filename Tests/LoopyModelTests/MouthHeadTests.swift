import Diffusion
import LoopyModel
import Testing
import Torch

/// Motion latents that tell the mouth's shape.
@Suite struct MouthHeadTests {
    private var configuration: LoopyConfiguration {
        var configuration = Reference.small
        configuration.motionLatents.mouthHead = true
        configuration.motionLatents.qkNorm = true
        return configuration
    }

    /// Eight clips in which the lips are as far apart as the speech is loud.
    private func conditions(_ generator: Generator) -> (Conditions, latents: Tensor) {
        let loudness = Tensor.uniform([8, 3, 1, 1, 1], generator: generator)
        let speech = loudness * 2.0 + Tensor.zeros([8, 3, 5, 2, 6]) - 1.0
        var points = [Float](repeating: 0, count: 68 * 2)
        (points[72], points[90]) = (0.3, 0.7)  // the eyes' outer corners
        for point in 48..<68 { points[2 * point] = 0.4 + 0.01 * Float(point - 48) }
        let still = Tensor(points, shape: [1, 1, 68, 2])
        var lower = [Float](repeating: 0, count: 68 * 2)
        for point in 55..<60 { lower[2 * point + 1] = 0.2 }
        let landmarks =
            still + Tensor(lower, shape: [1, 1, 68, 2]) * loudness.reshaped(8, 3, 1, 1)
        var conditions = Conditions(
            reference: .normal([8, 4, 8, 8], generator: generator), speech: speech)
        conditions.movement = .init(
            landmarks: landmarks, headMotion: .zeros([8]), expression: .zeros([8]))
        return (conditions, .normal([8, 3, 4, 8, 8], generator: generator))
    }

    private func loss(
        _ model: LoopyNet, _ conditions: Conditions, _ latents: Tensor, weight: Double
    ) throws -> Tensor {
        model.loss(
            latents, noise: latents * 0.5, timesteps: Array(repeating: 500, count: 8), conditions,
            try NoiseSchedule(), mouthShape: weight)
    }

    @Test func audioLearnsWhatMovesWithIt() throws {
        let generator = try Generator(seed: 4)
        let store = ParameterStore(drawing: generator)
        let model = try LoopyNet(store.root, configuration)
        let (conditions, latents) = conditions(generator)
        store.requireGradients()
        let trained = store.parameters.filter { $0.name.hasPrefix("audio_") }
        let optimiser = AdamW(trained)
        let without = try loss(model, conditions, latents, weight: 0).scalar
        func shapeLoss() throws -> Double {
            try loss(model, conditions, latents, weight: 1).scalar - without
        }
        let first = try shapeLoss()
        #expect(first > 0)
        for _ in 0..<150 {
            let value = try loss(model, conditions, latents, weight: 1)
            value.backward()
            optimiser.step(learningRate: 3e-3)
            for (_, weight) in store.parameters { weight.gradient = nil }
        }
        // The projection that adds motion latents to the net began at zero and has changed too.
        let last =
            try loss(model, conditions, latents, weight: 1).scalar
            - loss(model, conditions, latents, weight: 0).scalar
        #expect(last < 0.2 * first)
    }

    @Test func samplesWithoutAudioDoNotCount() throws {
        let generator = try Generator(seed: 4)
        let model = try LoopyNet(ParameterStore(drawing: generator).root, configuration)
        var (conditions, latents) = conditions(generator)
        for sample in conditions.masks.indices { conditions.masks[sample].audio = true }
        #expect(
            try loss(model, conditions, latents, weight: 1)
                .isEqual(to: loss(model, conditions, latents, weight: 0)))
    }
}

import LoopyModel
import Runs
import Testing
import Torch
import Weights

/// Against a second implementation, in PyTorch: Fixtures/loopy_reference.py.
@Suite struct ReferenceTests {
    @Test(
        "predictions agree with PyTorch",
        arguments: [
            "all", "audio_masked", "motion_latents_masked", "reference_masked",
            "motion_frames_masked", "base", "mixed", "no_motion", "partly_present", "audio",
            "landmarks", "head_motion", "expression",
        ])
    func predictionsAgree(name: String) throws {
        let reference = try Reference()
        let (model, _) = try reference.model()
        let prediction = try withoutGradient {
            model(
                try reference.latents, try reference.timesteps, try reference.conditions(name))
        }
        #expect(relativeError(prediction, try reference("noise." + name)) < 1e-5)
    }

    @Test func everyLayerOfTheReferenceNetAgrees() throws {
        let reference = try Reference()
        let (model, _) = try reference.model()
        let encoded = model.encode(try reference.conditions("all"))
        let features = try #require(encoded.reference)
        #expect(features.layers.count == reference.layers.count)
        for (layer, name) in zip(features.layers, reference.layers) {
            let motion = try #require(layer.motion)
            #expect(relativeError(motion, try reference("motion." + name)) < 1e-5, "\(name)")
            if let spatial = layer.spatial {
                #expect(relativeError(spatial, try reference("spatial." + name)) < 1e-5, "\(name)")
            }
        }
        #expect(
            features.layers.map { $0.spatial != nil } == [
                true, false, true, false, false, true, true,
            ])
    }

    @Test(
        "loss and gradients agree with PyTorch, recomputed or not",
        arguments: ["all", "mixed"], [false, true])
    func gradientsAgree(name: String, gradientCheckpointing: Bool) throws {
        let reference = try Reference()
        let (model, store) = try reference.model(recording: true)
        let prediction = model(
            try reference.latents, try reference.timesteps, try reference.conditions(name),
            gradientCheckpointing: gradientCheckpointing)
        let loss = mseLoss(prediction, try reference("target"))
        let expected = try #require(reference.losses[name])
        #expect(abs(loss.scalar - expected) < 1e-5 * expected)
        loss.backward()

        let norms: [Float] = try reference("gradient_norms." + name).array()
        // Gradients behind an attention that is nearly decided are small differences of large numbers:
        // the reference has them in double precision, this model in single.
        let scale = Double(norms.max() ?? 1)
        func allowed(_ norm: Double) -> Double { 1e-4 * norm + 1e-5 * scale }
        for (weight, norm) in zip(store.names.sorted(), norms) {
            let gradient = store[weight]?.gradient?.norm().scalar ?? 0
            #expect(abs(gradient - Double(norm)) < allowed(Double(norm)), "\(weight)")
        }
        var compared = 0
        for weight in store.names {
            guard let expected = reference.find("gradient.\(name).\(weight)") else { continue }
            let gradient = try #require(store[weight]?.gradient, "\(weight)")
            let difference = (gradient - expected).norm().scalar
            #expect(difference < allowed(expected.norm().scalar), "\(weight)")
            compared += 1
        }
        #expect(compared == 18)
    }

    @Test func animateDiffsMotionModulesBeginTheIntraClipLayers() throws {
        let reference = try Reference()
        let (model, store) = try reference.model()
        try store.loadAnimateDiff(
            from: fixture("animatediff.ckpt"), for: reference.configuration)
        let prediction = try withoutGradient {
            model(
                try reference.latents, try reference.timesteps, try reference.conditions("all"))
        }
        #expect(relativeError(prediction, try reference("noise.animatediff")) < 1e-5)
    }
}

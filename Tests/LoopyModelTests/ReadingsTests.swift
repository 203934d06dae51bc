import Foundation
import LoopyModel
import Testing
import Torch

/// What is a setting because the paper leaves it open: docs/readings.md.
@Suite struct ReadingsTests {
    private let reference: Reference
    private let latents: Tensor, timesteps: Tensor

    init() throws {
        reference = try Reference()
        latents = try reference.latents
        timesteps = try reference.timesteps
    }

    /// The reference's weights, as far as the reading has them.
    private func model(_ change: (inout Readings) -> Void) throws -> LoopyNet {
        var configuration = reference.configuration
        change(&configuration.readings)
        let store = ParameterStore(drawing: try Generator(seed: 1))
        let model = try LoopyNet(store.root, configuration)
        let (_, whole) = try reference.model()
        for (name, weight) in store.parameters { weight.assign(try #require(whole[name])) }
        return model
    }

    private func prediction(_ model: LoopyNet, _ conditions: Conditions) -> Tensor {
        withoutGradient { model(latents, timesteps, conditions) }
    }

    @Test func missingMotionFramesAreHiddenOrZeros() throws {
        let zeros = try model { $0.missingMotionFrames = .zeros }
        let hidden = try model { _ in }
        let all = try reference.conditions("all")
        #expect(prediction(zeros, all).isEqual(to: prediction(hidden, all)))
        let masked = try reference.conditions("motion_frames_masked")
        #expect(relativeError(prediction(zeros, masked), prediction(hidden, masked)) > 1e-4)
        // Masked, absent and not yet there are one state, in this reading too.
        var absent = all
        absent.motionFrames?.isPresent = Array(
            repeating: Array(repeating: false, count: 4), count: 4)
        #expect(relativeError(prediction(zeros, absent), prediction(zeros, masked)) < 1e-5)
        absent.motionFrames = nil
        #expect(relativeError(prediction(zeros, absent), prediction(zeros, masked)) < 1e-5)
        // What a masked frame shows does not matter.
        var others = try reference.conditions("partly_present")
        let before = prediction(zeros, others)
        let present = try #require(others.motionFrames?.isPresent)
        let shown = Tensor(
            present.flatMap { $0.map { $0 ? Float(1) : 3 } },
            shape: [4, present[0].count, 1, 1, 1])
        others.motionFrames?.latents = try reference("inputs.motion") * shown
        #expect(relativeError(prediction(zeros, others), before) < 1e-5)
    }

    @Test func theReferenceIsDroppedWithItsMotionFramesOrAlone() throws {
        let alone = try model { $0.droppedReference = .alone }
        let both = try model { _ in }
        let all = try reference.conditions("all")
        #expect(prediction(alone, all).isEqual(to: prediction(both, all)))
        var dropped = all
        for sample in [1, 2] { dropped.masks[sample].reference = true }
        let predicted = prediction(alone, dropped)
        for sample in [0, 3] {
            #expect(
                relativeError(predicted[sample], prediction(both, dropped)[sample]) < 1e-5)
        }
        #expect(relativeError(predicted[1], prediction(both, dropped)[1]) > 1e-5)
        // The picture does not matter any more; the motion frames do.
        var other = dropped
        other.reference = dropped.reference + 1
        #expect(relativeError(prediction(alone, other)[1], predicted[1]) < 1e-5)
        other = dropped
        other.motionFrames?.latents = try reference("inputs.motion") + 1
        #expect(relativeError(prediction(alone, other)[1], predicted[1]) > 1e-4)
    }

    @Test(arguments: [false, true])
    func guidanceDropsTheReferenceAsTrainingDoes(together: Bool) throws {
        let alone = try model { $0.droppedReference = .alone }
        var conditions = try reference.conditions("audio")
        conditions.movement = nil
        let expected = alone.guided(latents, timestep: 300, conditions)
        let guided = withoutGradient {
            GuidedModel(alone, conditions, Guidance(), together: together)(latents, timestep: 300)
        }
        #expect(relativeError(guided, expected) < 1e-5)
    }

    @Test func theReferenceNetMayProjectItsOwnTokens() throws {
        let own = try model { $0.referenceProjections = .referenceNet }
        let all = try reference.conditions("all")
        let usual = prediction(try model { _ in }, all)
        #expect(relativeError(prediction(own, all), usual) > 1e-5)
        // With the same projections in both nets the readings are one.
        var configuration = reference.configuration
        configuration.readings.referenceProjections = .referenceNet
        let (_, whole) = try reference.model()
        let store = ParameterStore(drawing: try Generator(seed: 1))
        let model = try LoopyNet(store.root, configuration)
        for (name, weight) in store.parameters {
            let isProjection = name.contains(".attn1.to_k.") || name.contains(".attn1.to_v.")
            let source =
                isProjection
                ? name.replacingOccurrences(of: "reference_net.", with: "denoising_net.") : name
            weight.assign(try #require(whole[source]))
        }
        var changed = configuration
        changed.readings.referenceProjections = .denoisingNet
        let other = ParameterStore(drawing: try Generator(seed: 1))
        let usualModel = try LoopyNet(other.root, changed)
        for (name, weight) in other.parameters { weight.assign(try #require(store[name])) }
        #expect(relativeError(prediction(model, all), prediction(usualModel, all)) < 1e-5)
    }

    @Test func aTemporalLayerMayHaveOneAttention() throws {
        var configuration = reference.configuration
        configuration.readings.temporalAttentions = 1
        let store = ParameterStore(drawing: try Generator(seed: 1))
        let model = try LoopyNet(store.root, configuration)
        #expect(!store.names.contains { $0.contains(".attention_blocks.1.") })
        #expect(store.names.contains { $0.contains("inter_clip.0.transformer_blocks.0.norms.0") })
        #expect(prediction(model, try reference.conditions("mixed")).isFinite)
    }

    @Test func predictionsAreFloat32UnderAutocastToo() throws {
        let model = try model { _ in }
        let conditions = try reference.conditions("all")
        let half = withoutGradient {
            ComputePrecision.bfloat16.computing(on: .cpu) { model(latents, timesteps, conditions) }
        }
        #expect(half.type == .float32)
        let guided = withoutGradient {
            ComputePrecision.bfloat16.computing(on: .cpu) {
                GuidedModel(model, conditions, Guidance())(latents, timestep: 300)
            }
        }
        #expect(guided.type == .float32)
        // More than eight bits: the sum was not rounded to bfloat16.
        #expect(!guided.to(.bfloat16).to(.float32).isEqual(to: guided))
    }

    @Test func precisionFollowsTheDevice() {
        #expect(ComputePrecision.Choice.automatic.resolved(on: "cuda:1") == .bfloat16)
        #expect(ComputePrecision.Choice.automatic.resolved(on: "cpu") == .float32)
        #expect(ComputePrecision.Choice.bfloat16.resolved(on: "cpu") == .bfloat16)
        #expect(ComputePrecision.Choice.float32.resolved(on: "cuda:0") == .float32)
    }
}

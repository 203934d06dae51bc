import Diffusion
import Errors
import LoopyModel
import Testing
import Torch

/// What a configuration makes, and what it does not.
@Suite struct ModelConfigurationTests {
    @Test func configurationsThatMakeNoModelAreSaid() {
        let changes: [(String, (inout LoopyConfiguration) -> Void)] = [
            ("channels", { $0.channels = [8, 13] }), ("attention", { $0.attention = [true] }),
            ("frames", { $0.frames = 0 }), ("segments", { $0.segments.stride = 0 }),
            ("motion_latents", { $0.motionLatents.heads = 3 }),
            ("speech_layers", { $0.speechLayers = -1 }),
        ]
        for (name, change) in changes {
            var configuration = Reference.small
            change(&configuration)
            let error = #expect(throws: LoopyError.self) {
                _ = try LoopyNet(ParameterStore.describing().root, configuration)
            }
            #expect(error?.message.contains("model." + name) == true)
        }
    }

    @Test func thePapersModelHasItsParts() throws {
        let summary = try ModelSummary(.sd15)
        let parts = Dictionary(uniqueKeysWithValues: summary.parts)
        // Stable Diffusion's U-Net without text, and in the reference net without its output.
        #expect(parts["denoising net, as Stable Diffusion's"] == 815_533_444)
        #expect(parts["reference net"] == 815_521_280)
        #expect(summary.parts.reduce(0) { $0 + $1.parameters } == summary.parameters)
        #expect(summary.lines(depth: 1).count == 5)
        let memory = MemoryEstimate(
            .sd15, parameters: summary.parameters, batch: 1, side: 64, precision: .bfloat16)
        #expect(memory.checkpointedActivations < memory.activations / 4)
        let double = MemoryEstimate(
            .sd15, parameters: summary.parameters, batch: 2, side: 64, precision: .float32)
        #expect(double.activations == 4 * memory.activations)
        // A distilled model has its teacher beside it in training.
        var few = LoopyConfiguration.sd15
        few.stage = .distilled
        let distilled = MemoryEstimate(
            few, parameters: summary.parameters, batch: 2, side: 64, precision: .float32)
        #expect(try ModelSummary(few).parameters == summary.parameters)
        #expect(distilled.training == double.training + double.weights)
        #expect(distilled.sampling == double.sampling)
    }
}

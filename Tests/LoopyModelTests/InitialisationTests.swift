import Diffusion
import Errors
import Foundation
import LoopyModel
import Testing
import Torch
import Weights

/// Where a new model's weights come from.
@Suite struct InitialisationTests {
    /// A small U-Net in Stable Diffusion's published layout.
    private let published = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("DiffusionTests/Fixtures/unet").path

    /// Of its shape.
    private var configuration: LoopyConfiguration {
        var configuration = Reference.small
        configuration.channels = [4, 8, 12, 12]
        configuration.attention = [true, true, true, false]
        configuration.layersPerBlock = 2
        configuration.heads = 2
        configuration.normGroups = 2
        return configuration
    }

    private func model(
        _ configuration: LoopyConfiguration
    ) throws -> (LoopyNet, ParameterStore) {
        let store = ParameterStore(drawing: try Generator(seed: 5))
        return (try LoopyNet(store.root, configuration), store)
    }

    @Test func bothNetsBeginWithStableDiffusion() throws {
        let (model, store) = try model(configuration)
        let before = Dictionary(
            uniqueKeysWithValues: store.parameters.map { ($0.name, $0.tensor.copy()) })
        try store.beginWithStableDiffusion(published, configuration)

        let generator = try Generator(seed: 6)
        let latents = Tensor.normal([1, 3, 4, 16, 24], generator: generator)
        let timesteps = Tensor([Int64(700)])
        var conditions = Conditions(
            reference: .normal([1, 4, 16, 24], generator: generator),
            speech: .normal([1, 3, 5, 2, 6], generator: generator))
        conditions.masks[0].reference = true
        let plain = try PlainUNet(folder: published)
        let expected = plain(
            latents.flattened(from: 0, through: 1), timesteps.repeatInterleave(3, along: 0))
        let prediction = model(latents, timesteps, conditions)
        #expect(prediction.flattened(from: 0, through: 1).isEqual(to: expected))

        // All but what was added has changed, the reference net's as the denoising net's.
        let added = ["inter_clip", "intra_clip", "audio_"]
        for (name, weight) in store.parameters {
            let isAdded = added.contains { name.contains($0) }
            #expect(weight.isEqual(to: try #require(before[name])) == isAdded, "\(name)")
            let twin = name.replacingOccurrences(of: "reference_net", with: "denoising_net")
            if twin != name { #expect(weight.isEqual(to: try #require(store[twin]))) }
        }
    }

    @Test func aNetOfAnotherShapeIsRefused() throws {
        var configuration = configuration
        configuration.channels = [4, 8, 12, 16]
        let (_, store) = try model(configuration)
        let error = #expect(throws: LoopyError.self) {
            try store.beginWithStableDiffusion(published, configuration)
        }
        #expect(error?.message.contains("[4, 8, 12, 16]") == true)
        let other = #expect(throws: LoopyError.self) {
            try store.beginWithAnimateDiff(fixture("animatediff.ckpt"), configuration)
        }
        #expect(other?.message.contains("animatediff.ckpt") == true)
        let noFolder = #expect(throws: LoopyError.self) {
            try store.beginWithStableDiffusion("/nowhere", configuration)
        }
        #expect(noFolder?.message.contains("/nowhere/config.json: is missing") == true)
    }

    @Test func theSecondStageTakesAllOfTheFirst() throws {
        var first = Reference.small
        first.stage = .image
        let (_, firstStore) = try model(first)
        let path = NSTemporaryDirectory() + "/stage-" + UUID().uuidString + ".safetensors"
        defer { try? FileManager.default.removeItem(atPath: path) }
        var bytes = Data()
        try SafeTensors.write(
            tensors: firstStore.parameters.map { ($0.name, $0.tensor) }, metadata: [:]
        ) { bytes.append(contentsOf: $0) }
        try bytes.write(to: URL(fileURLWithPath: path))

        let store = ParameterStore(drawing: try Generator(seed: 9))
        _ = try LoopyNet(store.root, Reference.small)
        try store.beginWithFirstStage(path)
        for (name, weight) in firstStore.parameters {
            #expect(weight.isEqual(to: try #require(store[name])), "\(name)")
        }
        #expect(store.names.count > firstStore.names.count)
    }

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
    }
}

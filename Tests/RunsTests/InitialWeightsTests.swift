import Diffusion
import Errors
import Foundation
import LoopyModel
import Runs
import Testing
import Torch
import Weights

/// Where a new model's weights come from.
@Suite struct InitialWeightsTests {
    /// A small U-Net in Stable Diffusion's published layout.
    private let published = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("DiffusionTests/Fixtures/unet").path

    private static let animateDiff = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent()
        .appendingPathComponent("LoopyModelTests/Fixtures/animatediff.ckpt").path

    private static var small: LoopyConfiguration {
        var small = LoopyConfiguration.tiny
        small.latentChannels = 4
        small.channels = [8, 12]
        small.attention = [true, false]
        small.heads = 2
        small.normGroups = 4
        small.frames = 3
        small.segments.stride = 2
        small.segments.motionFrames = 6
        small.speechLayers = 2
        small.speechChannels = 6
        small.audioWidth = 12
        small.motionLatents.embeddings = 5
        small.motionLatents.width = 16
        small.motionLatents.heads = 2
        return small
    }

    /// A configuration of the published U-Net's shape.
    private var configuration: LoopyConfiguration {
        var configuration = Self.small
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
        try store.loadStableDiffusion(from: published, for: configuration)

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
            try store.loadStableDiffusion(from: published, for: configuration)
        }
        #expect(error?.message.contains("[4, 8, 12, 16]") == true)
        let other = #expect(throws: LoopyError.self) {
            try store.loadAnimateDiff(from: Self.animateDiff, for: configuration)
        }
        #expect(other?.message.contains("animatediff.ckpt") == true)
        let noFolder = #expect(throws: LoopyError.self) {
            try store.loadStableDiffusion(from: "/nowhere", for: configuration)
        }
        #expect(noFolder?.message.contains("/nowhere/config.json: is missing") == true)
    }

    @Test func aNetThatSeesTheReferenceBeginsAsOneThatDoesNot() throws {
        let (_, narrow) = try model(configuration)
        var configuration = configuration
        configuration.concatenateReference = true
        let input = "denoising_net.conv_in.weight"
        let path = NSTemporaryDirectory() + "/narrow-" + UUID().uuidString + ".safetensors"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try save(narrow, to: path)
        let (_, first) = try model(configuration), (_, published) = try model(configuration)
        try first.loadFirstStage(from: path)
        try published.loadStableDiffusion(from: self.published, for: configuration)
        let plain = try #require(Checkpoint(self.published).tensor("conv_in.weight"))
        for (store, own) in [(first, try #require(narrow[input])), (published, Tensor(plain))] {
            let wide = try #require(store[input])
            #expect(wide.shape == [4, 8, 3, 3])
            #expect(wide[.all, ..<4].isEqual(to: own.to(.float32)))
            #expect(wide[.all, 4...].abs().amax().scalar == 0)
        }
        // The other way round there is nothing that it could stand for.
        try save(first, to: path)
        let error = #expect(throws: LoopyError.self) { try narrow.loadFirstStage(from: path) }
        #expect(error?.message.contains("denoising_net.conv_in.weight is [4, 8, 3, 3]") == true)
    }

    private func save(_ store: ParameterStore, to path: String) throws {
        var bytes = Data()
        try SafeTensors.write(
            tensors: store.parameters.map { ($0.name, $0.tensor) }, metadata: [:]
        ) { bytes.append(contentsOf: $0) }
        try bytes.write(to: URL(fileURLWithPath: path))
    }

    @Test func theSecondStageTakesAllOfTheFirst() throws {
        var first = Self.small
        first.stage = .image
        let (_, firstStore) = try model(first)
        let path = NSTemporaryDirectory() + "/stage-" + UUID().uuidString + ".safetensors"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try save(firstStore, to: path)

        let store = ParameterStore(drawing: try Generator(seed: 9))
        _ = try LoopyNet(store.root, Self.small)
        try store.loadFirstStage(from: path)
        for (name, weight) in firstStore.parameters {
            #expect(weight.isEqual(to: try #require(store[name])), "\(name)")
        }
        #expect(store.names.count > firstStore.names.count)
    }
}

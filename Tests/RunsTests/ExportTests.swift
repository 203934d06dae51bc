import Diffusion
import Foundation
import LoopyModel
import Runs
import Storage
import TestSupport
import Testing
import Torch
import Weights

/// Exports, as Loopy's own loaders and diffusers open them.
@Suite struct ExportTests {
    private static func configuration(_ stage: LoopyConfiguration.Stage) -> LoopyConfiguration {
        var small = LoopyConfiguration.tiny
        small.stage = stage
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

    /// What config.json holds.
    private struct Description: Encodable {
        var model: LoopyConfiguration
        var schedule = NoiseSchedule.Settings()
        var columns: [String: Int] = [:]
        var step = 3
    }

    /// A model with random weights, and its export.
    private func withExport(
        _ stage: LoopyConfiguration.Stage, concatenatesReference: Bool = false,
        _ body: (_ model: LoopyNet, _ store: ParameterStore, _ folder: String) throws -> Void
    ) throws {
        var configuration = Self.configuration(stage)
        configuration.concatenateReference = concatenatesReference
        let store = ParameterStore(drawing: try Generator(seed: 3))
        let model = try LoopyNet(store.root, configuration)
        try withFolder { folder in
            let source = folder + "/source"
            try save(store.parameters, to: source + "/model.safetensors")
            try JSONLines.writeDocument(
                Description(model: configuration), to: source + "/config.json")
            try Export.write(TrainedModel(folder: source), to: folder + "/export")
            try body(model, store, folder + "/export")
        }
    }

    private func save(_ tensors: [(name: String, tensor: Tensor)], to path: String) throws {
        let file = try OutputFile(path)
        try SafeTensors.write(tensors: tensors) { try file.write($0) }
        try file.commit()
    }

    /// What the denoising net says without a reference and without audio: `[3, 4, 8, 8]` and timesteps.
    private func prediction(_ model: LoopyNet) throws -> (Tensor, timesteps: Tensor, Tensor) {
        let generator = try Generator(seed: 4)
        let latents = Tensor.normal([3, 4, 8, 8], generator: generator)
        let timesteps = Tensor([Int64(1), 400, 999])
        var conditions = Conditions(reference: .zeros([3, 4, 8, 8]))
        for sample in 0..<3 { conditions.masks[sample].reference = true }
        let prediction = withoutGradient { model(latents.unsqueezed(1), timesteps, conditions) }
        return (latents, timesteps, prediction.squeezed(1))
    }

    @Test func anExportedUNetIsOpenedAndComputesTheSame() throws {
        try withExport(.image) { model, _, folder in
            let (latents, timesteps, expected) = try prediction(model)
            let unet = try PlainUNet(folder: folder + "/unet")
            let text = Tensor.normal([3, 5, 768], generator: try Generator(seed: 5))
            for text in [nil, text] {
                let found = withoutGradient { unet(latents, timesteps, text: text) }
                #expect((found - expected).abs().amax().scalar < 1e-5)
            }
        }
    }

    @Test func aNetThatSeesTheReferenceTakesItBehindTheLatents() throws {
        try withExport(.image, concatenatesReference: true) { model, _, folder in
            let (latents, timesteps, expected) = try prediction(model)
            let unet = try PlainUNet(folder: folder + "/unet")
            let found = withoutGradient {
                unet(concatenated([latents, .zeros(latents.shape)], along: 1), timesteps)
            }
            #expect((found - expected).abs().amax().scalar < 1e-5)
            _ = try PlainUNet(folder: folder + "/reference_net")
        }
    }

    @Test func trainingBeginsWithAnExport() throws {
        try withExport(.video) { _, trained, folder in
            let configuration = Self.configuration(.video)
            let store = ParameterStore(drawing: try Generator(seed: 6))
            _ = try LoopyNet(store.root, configuration)
            try store.loadStableDiffusion(from: folder, for: configuration)
            for name in ["conv_in.weight", "down_blocks.0.attentions.0.proj_in.bias"] {
                let weight = try #require(trained["denoising_net." + name])
                #expect(try #require(store["denoising_net." + name]).isEqual(to: weight))
                #expect(try #require(store["reference_net." + name]).isEqual(to: weight))
            }
        }
    }

    @Test func theReferenceNetIsExportedToo() throws {
        try withExport(.video) { _, trained, folder in
            _ = try PlainUNet(folder: folder + "/reference_net")
            let exported = try Checkpoint(folder + "/reference_net")
            let prefix = "reference_net."
            for (name, tensor) in trained.parameters where name.hasPrefix(prefix) {
                let found = try #require(exported.tensor(String(name.dropFirst(prefix.count))))
                #expect(Tensor(found).isEqual(to: tensor), "\(name)")
            }
        }
    }

    // MARK: diffusers

    private static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path
    private static let hasDiffusers =
        (try? String(contentsOfFile: package + "/.deps/python/.complete", encoding: .utf8))?
        .contains("diffusers") == true

    /// The folder of Python packages that holds torch: libtorch is a part of it.
    private static let pythonTorch = URL(
        fileURLWithPath: ProcessInfo.processInfo.environment["LIBTORCH"]
            ?? package + "/.deps/libtorch"
    ).resolvingSymlinksInPath().deletingLastPathComponent().path

    /// Both U-Nets are opened without a missing or superfluous weight, and run.
    private static let script = """
        import sys
        sys.stderr = sys.stdout
        import torch
        from diffusers import UNet2DConditionModel
        from safetensors.torch import load_file, save_file

        folder, work = sys.argv[1:]
        inputs = load_file(work + "/inputs.safetensors")
        outputs = {}
        for name in ["unet", "reference_net"]:
            net, info = UNet2DConditionModel.from_pretrained(
                folder, subfolder=name, low_cpu_mem_usage=False, output_loading_info=True)
            wrong = {key: value for key, value in info.items() if value}
            assert not wrong, wrong
            with torch.no_grad():
                outputs[name] = net(
                    inputs["latents"], inputs["timesteps"], inputs["text"]).sample.contiguous()
        save_file(outputs, work + "/outputs.safetensors")
        """

    @Test(.enabled(if: hasDiffusers, "Scripts/setup.sh python"))
    func diffusersOpensItAndComputesTheSame() throws {
        try withExport(.image) { model, _, folder in
            let (latents, timesteps, expected) = try prediction(model)
            let text = Tensor.normal([3, 5, 768], generator: try Generator(seed: 5))
            let work = folder + "/../work"
            try save(
                [("latents", latents), ("timesteps", timesteps), ("text", text)],
                to: work + "/inputs.safetensors")
            try write(Self.script, to: work + "/check.py")
            let (output, status) = try run(
                "env", "PYTHONPATH=\(Self.pythonTorch)", "HF_HUB_OFFLINE=1",
                Self.package + "/.deps/python/bin/python", work + "/check.py", folder, work)
            try #require(status == 0, "\(output)")
            let outputs = try Checkpoint(work + "/outputs.safetensors")
            let found = Tensor(try #require(outputs.tensor("unet")))
            #expect((found - expected).abs().amax().scalar < 1e-4)
            let reference = Tensor(try #require(outputs.tensor("reference_net")))
            #expect(reference.abs().amax().scalar == 0)
        }
    }
}

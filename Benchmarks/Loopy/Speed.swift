import ArgumentParser
import Diffusion
import Foundation
import Generation
import LoopyModel
import Runs
import Speech
import TestSupport
import Torch
import Training

/// `bench-loopy speed`: what sampling, training and features cost.
struct Speed: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure sampling, training and features, with random weights.",
        discussion: """
            As users run it, bfloat16 on a GPU. Writes tables, and profiles that chrome://tracing and \
            kernels.py read.
            """)

    @OptionGroup var options: DeviceOptions

    @Option(help: "The model: sd15, small or tiny.")
    var preset = "sd15"

    @Option(help: "The side of the latents: 64 for pictures of 512.")
    var side = 64

    @Option(help: "Parts, separated by commas: sampling, training, features.")
    var parts = "sampling,training,features"

    func run() throws {
        let (device, name) = try options.prepare()
        guard let configuration = LoopyConfiguration.presets[preset] else {
            throw ValidationError("there is no preset '\(preset)'")
        }
        let speed = SpeedRun(
            device: device, name: name, output: options.output, preset: preset,
            configuration: configuration, side: side)
        for part in parts.split(separator: ",") {
            switch part {
            case "sampling": try speed.sampling()
            case "training": try speed.training()
            case "features": try speed.features()
            default: throw ValidationError("there is no part '\(part)'")
            }
        }
    }
}

private struct SpeedRun {
    let device: Device
    let name: String
    let output: String
    let preset: String
    let configuration: LoopyConfiguration
    let side: Int

    private var precision: ComputePrecision { device == .cpu ? .float32 : .bfloat16 }
    private var title: String { "\(name), `\(preset)`, latents of \(side)x\(side), \(precision)" }

    private func table(_ part: String, _ columns: [String]) throws -> Table {
        try Table(output + "/\(part).md", title: "\(part): \(title)", columns)
    }

    private func estimate(batch: Int = 1, _ configuration: LoopyConfiguration) throws
        -> MemoryEstimate
    {
        MemoryEstimate(
            configuration, parameters: try ModelSummary(configuration).parameters, batch: batch,
            side: side, precision: precision)
    }

    private func memory(_ foretold: Int) -> [String] {
        [device.takePeakMemory().map(MemoryEstimate.text) ?? "", MemoryEstimate.text(foretold)]
    }

    // MARK: Sampling

    /// Clips as `loopy generate` samples them: the first has no motion frames, those behind it have all.
    func sampling() throws {
        let table = try table(
            "sampling",
            ["passes", "clip", "s a frame", "reference", "denoising", "memory", "foretold"])
        let store = try TrainedModel.store(on: device, precision: precision)
        let model = try LoopyNet(store.root, configuration)
        let generator = try Generator(seed: 1, device: device)
        let reference = Tensor.normal(
            [1, configuration.latentChannels, side, side], generator: generator)
        let speech = Tensor.normal(
            [configuration.frames, 5, configuration.speechLayers, configuration.speechChannels],
            generator: generator)
        _ = device.takePeakMemory()
        func sampler(_ change: (inout GenerationSettings) -> Void) throws -> VideoSampler {
            var settings = GenerationSettings()
            settings.device = device.description
            change(&settings)
            return try VideoSampler(model, NoiseSchedule(), settings, reference: reference)
        }
        for passes in [GenerationSettings.Passes.apart, .together] {
            var video = try sampler { $0.passes = passes }
            for clip in 1...3 {
                let times = PartTimes()
                let spent = try seconds(on: device) { _ = try video.next(speech: speech, times) }
                let frames = Double(configuration.frames)
                try table.add(
                    [passes.rawValue, "\(clip)", text(spent / frames)]
                        + [PartTimes.Part.reference, .denoising].map {
                            text((times.seconds[$0.rawValue] ?? 0) / frames)
                        } + memory(try estimate(configuration).sampling))
            }
        }
        var short = try sampler {
            $0.numInferenceSteps = 1
            $0.passes = .together
        }
        // The second clip has motion frames.
        for profiled in [false, true] {
            let run = { _ = try short.next(speech: speech, PartTimes()) }
            try profiled
                ? LibTorch.profile(to: output + "/sampling-trace.json") {
                    try run()
                    device.synchronise()
                } : run()
        }
    }

    // MARK: Training

    /// Steps of `loopy-train` on shards that are drawn here.
    func training() throws {
        let table = try table(
            "training",
            [
                "stage", "batch", "layers again", "s a step", "waiting for shards", "memory",
                "foretold",
            ])
        try writeTrainingShard(
            output + "/data/shards/train-00000.tar", (4..<10).map { ("train", $0) },
            latents: [configuration.latentChannels, side, side],
            speech: [configuration.speechLayers, configuration.speechChannels])
        try writeCatalogue(output + "/data", side: 512)
        let rows: [(LoopyConfiguration.Stage, Int, Bool)] = [
            (.image, 8, false), (.video, 1, false), (.video, 1, true), (.video, 4, true),
        ]
        for (stage, batch, checkpointing) in rows {
            var settings = TrainingSettings()
            settings.preset = preset
            settings.model = configuration
            settings.model.stage = stage
            settings.batchSize = batch
            settings.gradientCheckpointing = checkpointing
            settings.validation.windows = 0
            settings.device = device.description
            settings.logEvery = 1
            settings.steps = 1_000_000
            let isProfiled = stage == .video && batch == 1 && !checkpointing
            try measure(
                settings, table, profile: isProfiled ? output + "/training-trace.json" : nil)
        }
    }

    private func measure(_ settings: TrainingSettings, _ table: Table, profile: String?) throws {
        let folder =
            output
            + "/run-\(settings.model.stage)-\(settings.batchSize)-\(settings.gradientCheckpointing)"
        let run = RunDirectory(folder)
        let trainer = try Trainer(
            settings, TrainingSource(output + "/data"), run, resuming: false)
        for _ in 0..<2 { try trainer.step() }
        _ = device.takePeakMemory()
        let waited = trainer.secondsWaited
        let count = 5
        let spent = try seconds(on: device) { for _ in 0..<count { try trainer.step() } }
        let estimate = try estimate(batch: settings.batchSize, settings.model)
        let foretold =
            settings.gradientCheckpointing ? estimate.checkpointedTraining : estimate.training
        try table.add(
            [
                "\(settings.model.stage)", "\(settings.batchSize)",
                settings.gradientCheckpointing ? "yes" : "no", text(spent / Double(count)),
                text((trainer.secondsWaited - waited) / Double(count)),
            ] + memory(foretold + 4 * (try ModelSummary(settings.model).parameters)))
        guard let profile else { return }
        try LibTorch.profile(to: profile) {
            try trainer.step()
            device.synchronise()
        }
    }

    // MARK: Features

    /// The networks of the `latents` and `speech` columns, and of decoding.
    func features() throws {
        let table = try table("features", ["what", "a second"])
        try withoutGradient {
            let generator = try Generator(seed: 1, device: device)
            let autoencoder = AutoencoderKL(
                ParameterStore(drawing: generator).root, AutoencoderConfiguration())
            let pixels = side * autoencoder.factor
            let images = Tensor.uniform([4, 3, pixels, pixels], generator: generator) * 2 - 1
            let latents = Tensor.normal([4, 4, side, side], generator: generator)
            for precision in device == .cpu ? [.float32] : ComputePrecision.allCases {
                try precision.computing(on: device) {
                    let encoding = median(on: device, runs: 3) { _ = autoencoder.encode(images) }
                    try table.add(["frames to latents, \(precision)", text(4 / encoding)])
                    let decoding = median(on: device, runs: 3) { _ = autoencoder.decode(latents) }
                    try table.add(["latents to frames, \(precision)", text(4 / decoding)])
                }
            }
            let network = Wav2Vec2(
                ParameterStore(drawing: generator).root, Wav2Vec2Configuration())
            let encoder = Wav2Vec2Encoder(network, alignment: .beforeEncoder, device: device)
            let length = 60.0
            let recording = Recording(
                Tensor.normal([Int(length) * 16_000], generator: try Generator(seed: 2)).array())
            let speech = try median(on: device, runs: 3) {
                try encoder.encode(recording) {
                    device.synchronise()
                    _ = $0
                }
            }
            try table.add(["wav2vec2-base, seconds of speech", text(length / speech)])
        }
    }
}

import ArgumentParser
import Diffusion
import Generation
import LoopyModel
import Speech
import Torch

/// `bench-loopy check`: every network in float32 beside the processor, and in bfloat16 beside float32.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare what networks compute on a GPU with what they compute on the processor.",
        discussion: """
            Weights and inputs are random, the same on both sides. An error is the norm of the difference \
            over the norm of what is right. Float32 is float32 here: products of 10 bits, which are \
            otherwise allowed, are not. Exit status 1 when something is further off than its limit.
            """)

    @OptionGroup var options: DeviceOptions

    func run() throws {
        let (device, name) = try options.prepare()
        LibTorch.allowTF32(false)
        let checks = Checks(
            device,
            try Table(
                options.output + "/checks.md", title: "\(name) beside the processor",
                ["what", "error", "limit", ""]))
        try checks.model("model `tiny`", .tiny, side: 16)
        var paper = LoopyConfiguration.sd15
        (paper.channels, paper.attention, paper.layersPerBlock) = ([320, 640], [true, true], 1)
        try checks.model("two resolutions of `sd15`", paper, side: 16)
        try checks.sampling()
        try checks.optimiser()
        try checks.wideAttention()
        try checks.speech()
        try checks.autoencoder()
        if checks.failures > 0 { throw ExitCode(1) }
    }
}

private final class Checks {
    private let device: Device
    private let table: Table
    private(set) var failures = 0

    init(_ device: Device, _ table: Table) { (self.device, self.table) = (device, table) }

    private func note(_ what: String, _ error: Double, limit: Double) throws {
        let isFine = error <= limit
        if !isFine { failures += 1 }
        try table.add([what, text(error), text(limit), isFine ? "" : "**too far**"])
    }

    /// A network twice, with the same random weights.
    private func twins<Network>(
        seed: UInt64 = 1, _ build: (Scope) throws -> Network
    ) throws -> (cpu: Twin<Network>, other: Twin<Network>) {
        let generator = try Generator(seed: seed)
        let cpu = ParameterStore(drawing: generator)
        let other = ParameterStore(drawing: try Generator(seed: seed, device: device))
        let networks = (try build(cpu.root), try build(other.root))
        withoutGradient {
            for (name, tensor) in cpu.parameters {
                // Layers that begin as zeros would hide what goes through them.
                if tensor.type.isReal {
                    tensor.assign(tensor + Tensor.normal(tensor.shape, generator: generator) * 0.02)
                }
                other[name]?.assign(tensor)
            }
        }
        return (Twin(cpu, networks.0), Twin(other, networks.1))
    }

    /// Forward and backward pass, with all conditions.
    func model(_ name: String, _ configuration: LoopyConfiguration, side: Int) throws {
        let twins = try twins { try LoopyNet($0, configuration) }
        let inputs = try ModelInputs(configuration, side: side, device: .cpu)
        func run(
            _ twin: Twin<LoopyNet>, on device: Device, gradientCheckpointing: Bool = false
        ) -> Outcome {
            for (_, weight) in twin.store.parameters { weight.gradient = nil }
            let inputs = inputs.on(device)
            let prediction = twin.network(
                inputs.clip, Tensor([Float(500)], device: device), inputs.conditions,
                gradientCheckpointing: gradientCheckpointing)
            mseLoss(prediction, inputs.target).backward()
            return Outcome(
                prediction: prediction.detached(),
                gradients: twin.store.parameters.compactMap { name, tensor in
                    tensor.gradient.map { (name, $0) }
                })
        }
        twins.cpu.store.requireGradients()
        twins.other.store.requireGradients()
        let right = run(twins.cpu, on: .cpu)
        func compare(_ what: String, _ found: Outcome, isExact: Bool = true) throws {
            try note(
                name + what + ": prediction", error(found.prediction, right.prediction),
                limit: isExact ? 1e-4 : 3e-2)
            try note(
                name + what + ": all gradients", found.gradientError(beside: right),
                limit: isExact ? 1e-4 : 0.1)
            // In bfloat16, gradients that nearly cancel out are nothing but rounding.
            guard isExact else { return }
            let worst = found.worstGradient(beside: right)
            try note(name + what + ": gradient of `\(worst.name)`", worst.error, limit: 1e-3)
        }
        try compare(", float32", run(twins.other, on: device))
        try compare(
            ", float32, layers computed again",
            run(twins.other, on: device, gradientCheckpointing: true))
        let rounded = withAutocast(device, .bfloat16) { run(twins.other, on: device) }
        try compare(", bfloat16", rounded, isExact: false)
    }

    /// A clip in 25 guided steps.
    func sampling() throws {
        let configuration = LoopyConfiguration.tiny
        let twins = try twins(seed: 2) { try LoopyNet($0, configuration) }
        let inputs = try ModelInputs(configuration, side: 16, device: .cpu)
        let solver = try Solver(NoiseSchedule(), numInferenceSteps: 25)
        func sample(_ network: LoopyNet, on device: Device, together: Bool) throws -> Tensor {
            let inputs = inputs.on(device), generator = try Generator(seed: 1)
            return withoutGradient {
                GuidedModel(network, inputs.conditions, Guidance(), together: together)
                    .sample(inputs.clip, solver, generator: generator)
            }
        }
        let right = try sample(twins.cpu.network, on: .cpu, together: false)
        for together in [false, true] {
            let passes = together ? "passes together" : "passes apart"
            try note(
                "25 guided steps, float32, " + passes,
                error(try sample(twins.other.network, on: device, together: together), right),
                limit: 1e-3)
        }
        let rounded = try withAutocast(device, .bfloat16) {
            try sample(twins.other.network, on: device, together: true)
        }
        try note("25 guided steps, bfloat16", error(rounded, right), limit: 0.1)
    }

    /// What follows a backward pass: clipping, AdamW, the moving average.
    func optimiser() throws {
        func run(on device: Device) throws -> [Tensor] {
            let generator = try Generator(seed: 3)
            let parameters = [[300, 40], [7], [5, 3, 3, 3]].enumerated().map { number, shape in
                ("\(number)", Tensor.normal(shape, generator: generator).to(device))
            }.map { (name: $0.0, tensor: $0.1.requiringGradient()) }
            let optimiser = AdamW(parameters)
            let averages = MovingAverage(parameters, decay: 0.9)
            for _ in 0..<3 {
                for (_, tensor) in parameters {
                    tensor.gradient =
                        Tensor.normal(tensor.shape, generator: generator).to(device) * 3
                }
                clipGradientNorm(parameters, maxNorm: 1)
                optimiser.step(learningRate: 1e-2)
                averages.update()
            }
            return parameters.map { $0.tensor.detached() } + averages.averages.map(\.tensor)
        }
        let pairs = zip(try run(on: device), try run(on: .cpu))
        try note(
            "three steps of AdamW, with averages", pairs.map { error($0, $1) }.max() ?? 0,
            limit: 1e-5)
    }

    /// Temporal attention has a batch of all pixels: more than 65,535, where CUDA's grids end.
    func wideAttention() throws {
        let rows = 70_000
        let generator = try Generator(seed: 4, device: device)
        for (type, limit) in [(ElementType.float32, 1e-5), (.bfloat16, 1e-2)] {
            func draw(_ length: Int) -> Tensor {
                Tensor.normal([rows, 8, length, 40], generator: generator).to(type)
                    .requiringGradient()
            }
            let query = draw(12), key = draw(32), value = draw(32)
            func run(_ part: Range<Int>) -> [Tensor] {
                let inputs = [query, key, value].map {
                    $0.detached()[part].requiringGradient()
                }
                let result = scaledDotProductAttention(inputs[0], inputs[1], inputs[2])
                result.to(.float32).square().sum().backward()
                return [result.detached()] + inputs.compactMap(\.gradient)
            }
            let whole = run(0..<rows)
            let halves = zip(run(0..<(rows / 2)), run((rows / 2)..<rows)).map {
                concatenated([$0, $1], along: 0)
            }
            try note(
                "attention of \(rows) pixels, \(type), beside two halves",
                zip(whole, halves).map { error($0, $1) }.max() ?? 0, limit: limit)
        }
    }

    func speech() throws {
        let twins = try twins { Wav2Vec2($0, Wav2Vec2Configuration()) }
        let generator = try Generator(seed: 5)
        let recording = Recording(Tensor.normal([5 * 16_000], generator: generator).array())
        func run(_ network: Wav2Vec2, on device: Device) throws -> Tensor {
            var parts: [Tensor] = []
            var clips = SpeechClips(frames: 12, total: 5 * 25)
            try Wav2Vec2Encoder(network, alignment: .afterEncoder, device: device)
                .encode(recording) { try clips.add($0) { parts.append($0) } }
            return concatenated(parts, along: 0)
        }
        try note(
            "wav2vec2-base, 5 s",
            error(
                try run(twins.other.network, on: device), try run(twins.cpu.network, on: .cpu)),
            limit: 1e-4)
    }

    func autoencoder() throws {
        let twins = try twins { AutoencoderKL($0, AutoencoderConfiguration()) }
        let generator = try Generator(seed: 6)
        let images = Tensor.uniform([1, 3, 128, 128], generator: generator) * 2 - 1
        let errors = withoutGradient {
            let latents = twins.cpu.network.encode(images)
            let others = twins.other.network.encode(images.to(device))
            return [
                ("Stable Diffusion's autoencoder, encoding", error(others, latents)),
                (
                    "Stable Diffusion's autoencoder, decoding",
                    error(
                        twins.other.network.decode(latents.to(device)),
                        twins.cpu.network.decode(latents))
                ),
            ]
        }
        for (what, error) in errors { try note(what, error, limit: 1e-4) }
    }
}

/// What a forward and a backward pass give.
private struct Outcome {
    let prediction: Tensor
    let gradients: [(name: String, tensor: Tensor)]

    /// The error of all gradients as one vector.
    func gradientError(beside right: Outcome) -> Double {
        func joined(_ outcome: Outcome) -> Tensor {
            concatenated(
                outcome.gradients.map { $0.tensor.to(.cpu).to(.float32).flattened() }, along: 0)
        }
        return error(joined(self), joined(right))
    }

    /// The gradient that is furthest off, of those that are more than rounding.
    func worstGradient(beside right: Outcome) -> (name: String, error: Double) {
        let norms = right.gradients.map { $0.tensor.norm().scalar }
        let least = (norms.max() ?? 0) * 1e-4
        var worst = (name: "nothing", error: 0.0)
        for (index, (name, gradient)) in gradients.enumerated() where norms[index] > least {
            let error = error(gradient, right.gradients[index].tensor)
            if error >= worst.error { worst = (name, error) }
        }
        return worst
    }
}

private struct Twin<Network> {
    let store: ParameterStore
    let network: Network

    init(_ store: ParameterStore, _ network: Network) {
        (self.store, self.network) = (store, network)
    }
}

/// The norm of the difference over the norm of what is right, in float64 on the processor.
private func error(_ found: Tensor, _ right: Tensor) -> Double {
    withoutGradient {
        let right = right.detached().to(.cpu).to(.float64)
        return (found.detached().to(.cpu).to(.float64) - right).norm().scalar
            / max(right.norm().scalar, 1e-30)
    }
}

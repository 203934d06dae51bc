import ArgumentParser
import Errors
import LoopyModel
import Settings
import StageCommand

struct Model: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look at the model: its parts, and the memory that it takes.",
        subcommands: [Summary.self])

    struct Summary: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Print a model's modules, their weights' shapes, and what it takes to run it.",
            discussion: """
                Nothing is allocated. Memory is an estimate of what tensors take at the highest; the \
                program and libtorch's reserve come on top.
                """)

        @Option(
            help:
                "sd15, the paper's model; small, of one speaker; or tiny, to try things. Default: sd15."
        )
        var preset: String?

        @Option(
            help: ArgumentHelp(
                "A file with a `model` section, or that section alone, over the preset.",
                valueName: "file"))
        var config: String?

        @Option(
            name: .customLong("set"), parsing: .singleValue,
            help: ArgumentHelp("One setting: model.key=value. May be repeated."))
        var settings: [String] = []

        @Option(help: "Clips in a batch.")
        var batch = 1

        @Option(help: "Frames of a clip. Default: the preset's.")
        var frames: Int?

        @Option(
            help: ArgumentHelp(
                "Places along a side of the latents. Default: 64 for sd15 (512 pixels), 16 "
                    + "for small (128 pixels), 32 for tiny.",
                valueName: "side"))
        var latents: Int?

        @Option(
            help:
                "Of activations: \(ComputePrecision.allCases.map(\.rawValue).joined(separator: ", "))."
        )
        var precision = "float32"

        @Option(
            help: "Processes that share AdamW's moments out (train.optimiser.sharded).")
        var processes = 1

        @Option(help: "Levels of modules to show; 0 for none. Default: all.")
        var depth: Int?

        func validate() throws {
            let allowed = 1...4096
            guard allowed.contains(batch), allowed.contains(latents ?? 1), (depth ?? 0) >= 0 else {
                throw ValidationError("--batch and --latents are 1 to 4096, --depth 0 or more")
            }
            guard allowed.contains(processes) else {
                throw ValidationError("--processes is 1 to 4096")
            }
            guard ComputePrecision(rawValue: precision) != nil else {
                throw ValidationError("--precision: '\(precision)' is neither float32 nor bfloat16")
            }
        }

        func run() throws {
            try reporting {
                let name = preset ?? "sd15"
                guard let preset = LoopyConfiguration.presets[name] else {
                    throw LoopyError(
                        .configuration,
                        "unknown preset '\(name)'"
                            + Configuration.suggest(name, LoopyConfiguration.presets.keys.sorted()))
                }
                var configuration = try Configuration.read(
                    preset, section: ["model"], file: config, overrides: settings)
                if let frames { configuration.frames = frames }
                let usual = ["small": 16, "tiny": 32][name] ?? 64
                try show(configuration, side: latents ?? usual)
            }
        }

        private func show(_ configuration: LoopyConfiguration, side: Int) throws {
            let summary = try ModelSummary(configuration)
            if depth != 0 {
                for line in summary.lines(depth: depth) { print(line) }
                print()
            }
            for part in summary.parts { printRow(part.name, part.parameters.grouped) }
            printRow("all parameters", summary.parameters.grouped)
            if configuration.stage == .distilled {
                printRow("sampling steps, of one pass each", "\(configuration.distilledSteps)")
            }
            print()
            let precision = ComputePrecision(rawValue: precision)!  // validated
            let memory = MemoryEstimate(
                configuration, parameters: summary.parameters, batch: batch, side: side,
                precision: precision, shards: processes)
            print(
                "memory for \(batch) x \(configuration.frames) frames of \(side)x\(side) latents, "
                    + "activations in \(self.precision)"
                    + (processes > 1 ? ", on each of \(processes) processes" : ""))
            for (name, bytes) in [
                ("weights, float32", memory.weights), ("gradients", memory.gradients),
                ("AdamW's moments", memory.optimiser), ("activations", memory.activations),
                ("activations, gradient checkpointing", memory.checkpointedActivations),
            ] + (memory.teacher > 0 ? [("teacher", memory.teacher)] : []) + [
                ("training", memory.training),
                ("training, gradient checkpointing", memory.checkpointedTraining),
                ("sampling, a pass at a time", memory.sampling),
            ] {
                printRow(name, MemoryEstimate.text(bytes))
            }
        }

        private func printRow(_ name: String, _ value: String) {
            let padding = String(repeating: " ", count: max(1, 56 - name.count - value.count))
            print("  " + name + padding + value)
        }
    }
}

import ArgumentParser
import Diffusion
import Foundation
import Torch

/// Loopy's side of what is measured of its parts (`make bench`), and what Loopy does on a GPU
/// (`gpu-bundle/run.sh`).
@main
struct BenchLoopy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-loopy",
        abstract: "Measure Loopy's parts; compare a GPU with the processor, and measure it.",
        subcommands: [
            Forward.self, Step.self, Sampling.self, Windows.self, Quality.self, Check.self,
            Speed.self, DuplicatesBench.self,
        ])

    /// What runs on the processor runs on two threads, and prints JSON.
    static func onTwoThreads(_ what: String, _ measure: () throws -> Double) throws {
        LibTorch.configure(threads: 2)
        print("{\"\(what)\": \(try measure())}")
    }
}

struct Forward: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Seconds of a forward pass of the model tiny.")

    func run() throws {
        try BenchLoopy.onTwoThreads("forward_s") {
            try benchmarkModel(step: false, gradientCheckpointing: false)
        }
    }
}

struct Step: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Seconds of the loss and all gradients of the model tiny.")

    @Flag(help: "Compute layers again for the backward pass.")
    var checkpointing = false

    func run() throws {
        try BenchLoopy.onTwoThreads("step_s") {
            try benchmarkModel(step: true, gradientCheckpointing: checkpointing)
        }
    }
}

struct Sampling: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Seconds a frame of sampling a clip of the model tiny.")

    @Argument(help: "apart, together, or plain: nothing is reused.")
    var order: SamplingOrder

    func run() throws {
        try BenchLoopy.onTwoThreads("sampling_s") { try benchmarkSampling(order) }
    }
}

struct Windows: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Windows a second of the training's second stage.")

    @Argument(help: "A folder of shards.")
    var shards: String
    @Argument(help: "The number of windows.")
    var count: Int

    func run() throws {
        try BenchLoopy.onTwoThreads("windows_per_second") {
            try benchmarkWindows(shards, count: count)
        }
    }
}

struct Quality: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "What ways of sampling the model small cost, and how near they come.")

    @Argument(help: "A picture of one face.")
    var portrait: String
    @Argument(help: "A file with speech.")
    var speech: String
    @Argument(
        help:
            "SOLVER:STEPS, or SOLVER:STEPS:FIRST:LAST where a part of the steps is guided; STEPS/N where the deep layers run in every Nth: unipc:6, ddim:10/2."
    )
    var ways: [SamplingWay]
    @Option(help: "A run or an exported model that was distilled of small, to be sampled too.")
    var distilled: String?

    func run() throws {
        LibTorch.configure(threads: 2)
        try benchmarkQuality(portrait, speech, ways, distilled: distilled)
    }
}

extension SamplingOrder: ExpressibleByArgument {}

/// How a clip is sampled: `unipc:6`, `unipc:4:0:0.5`, `ddim:10/2`.
struct SamplingWay: ExpressibleByArgument {
    let text: String
    let solver: Solver.Method
    let steps: Int
    let cacheInterval: Int
    /// The part of the steps that is guided; nil for the model's.
    let guided: (first: Double, last: Double)?

    init?(argument: String) {
        let parts = argument.split(separator: ":").map(String.init)
        let numbers = parts.dropFirst(2).compactMap(Double.init)
        guard parts.count == 2 || (parts.count == 4 && numbers.count == 2),
            let solver = Solver.Method(rawValue: parts[0])
        else { return nil }
        let counts = parts[1].split(separator: "/").compactMap { Int($0) }
        guard (1...2).contains(counts.count) else { return nil }
        (text, self.solver, steps) = (argument, solver, counts[0])
        cacheInterval = counts.count == 2 ? counts[1] : 1
        guided = numbers.count == 2 ? (numbers[0], numbers[1]) : nil
    }
}

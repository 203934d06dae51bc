import ArgumentParser
import Dataset
import Errors
import Evaluation
import Foundation
import Perception
import Settings
import StageCommand
import Storage

@main
struct LoopyEvaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loopy-evaluate", abstract: "Measure videos.",
        subcommands: [Metrics.self, Sync.self, Motion.self], defaultSubcommand: Metrics.self)
}

struct Metrics: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure a folder of generated videos, with or without references.",
        usage:
            "loopy-evaluate --generated DIR [--reference DIR] --output metrics.json [--config FILE]",
        discussion: """
            Prints a table, and writes every figure with its protocol, its network's digest and every \
            video's own values as JSON. What has no network is reported absent; the section `evaluate` \
            of a file names the networks, or --set evaluate.fid=FILE does. What was measured is kept in \
            OUTPUT.parts: a run that was stopped goes on.

            The figures, and the settings that name their networks:

            \(EvaluationMetrics.help)
            """)

    @Option(help: ArgumentHelp("The videos to measure.", valueName: "dir"))
    var generated: String

    @Option(
        help: ArgumentHelp(
            "Videos to compare with; one of the same name is a video's own reference.",
            valueName: "dir"))
    var reference: String?

    @Option(help: ArgumentHelp("The JSON file to write.", valueName: "file"))
    var output: String

    @OptionGroup var options: SettingsOptions

    func run() throws {
        try reporting {
            useThreads(options.threads)
            let settings = try options.read(MetricsSettings(), section: ["evaluate"])
            let run = try MetricsRun(
                generated: generated, reference: reference, output: output, settings: settings,
                threads: options.threads)
            let progress = ProgressLine("evaluate", total: run.count)
            let report = try run.run { progress.advance() }
            progress.end()
            print(report.table, terminator: "")
            for failure in report.failures {
                say("failed: \(failure.path ?? ""): \(failure.error) [\(failure.reason)]")
            }
            if !report.failures.isEmpty { throw StageExit.someFailed }
        }
    }
}

struct Sync: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lip-sync: offset and confidence, a line of JSON a video.",
        discussion: """
            Loopy's own network is asked unless --weights names SyncNet. It sees the lips of the face that fills \
            most of the video; its confidence is the probability that lips and sound belong together and that \
            the offset is right within two frames.

            For SyncNet the face is cut out as its published pipeline cuts it; with --whole-frame SyncNet sees \
            the whole picture. Its confidence (LSE-C) and distance (LSE-D) of the two are not comparable, and \
            neither is with the other network's.

            A positive offset says that the sound leads: delay it by so many frames of 1/25 s.
            """)

    @Argument(help: ArgumentHelp("The videos.", valueName: "video"))
    var videos: [String]

    @Option(
        help: ArgumentHelp(
            "The network: \(LipSyncChoice.allowed). A file of Loopy's own network ends in .safetensors, "
                + "SyncNet's is syncnet_v2.model.",
            valueName: "network"))
    var weights = "embedded"

    @Flag(help: "SyncNet: score the whole picture instead of the face.")
    var wholeFrame = false

    @Option(help: "Threads; 0 for one a processor.")
    var threads = 0

    func run() throws {
        try reporting {
            let choice = try LipSyncChoice(weights, of: "--weights")
            useThreads(threads)
            switch choice {
            case .syncNet(let file):
                let evaluation = try SyncEvaluation(weights: file, threads: threads)
                try report(videos) {
                    try evaluation.report($0, wholeFrame ? .wholeFrame : .faceCrop)
                }
            case .mouthSync(let file):
                guard !wholeFrame else {
                    throw LoopyError(
                        .configuration, "--whole-frame is SyncNet's: add --weights syncnet")
                }
                let evaluation = try MouthSyncEvaluation(weights: file, threads: threads)
                try report(videos) { try evaluation.report($0) }
            }
        }
    }
}

struct Motion: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Head-motion and expression variance, a line of JSON a video.",
        discussion: """
            Glo is the variance of the nose tip's position, Exp that of the upper face's key points relative to \
            it, over windows of 12 frames, as in the column `motion`; here the means over all windows. The \
            face is the one that fills most of the video. Coordinates are divided by the side of a square \
            video, of any other by that of the crop that would be cut out of it; `protocol` says which.
            """)

    @Argument(help: ArgumentHelp("The videos.", valueName: "video"))
    var videos: [String]

    @Option(help: "Threads; 0 for one a processor.")
    var threads = 0

    func run() throws {
        try reporting {
            let evaluation = MotionEvaluation(threads: threads)
            try report(videos) { try evaluation.report($0) }
        }
    }
}

/// Prints a line of JSON for each video; one that fails is named, and the others go on.
private func report(_ videos: [String], _ evaluate: (String) throws -> some Encodable) throws {
    var failed = 0
    for video in videos {
        do {
            let line = try JSONLines.line(evaluate(video))
            print(String(decoding: line, as: UTF8.self), terminator: "")
        } catch {
            say("failed: \(error)")
            failed += 1
        }
    }
    if failed > 0 { throw StageExit.someFailed }
}

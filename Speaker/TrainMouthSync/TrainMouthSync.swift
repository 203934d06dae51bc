import ArgumentParser
import Errors
import Foundation
import MouthSyncTraining
import Perception
import StageCommand
import Storage

@main
struct TrainMouthSync: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train-mouth-sync",
        abstract: "Train the network that measures lip-sync, and try it.",
        subcommands: [Train.self, Try.self, Calibrate.self], defaultSubcommand: Train.self)
}

struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train the network.",
        discussion: """
            --speech is a folder of speech with known phones (Speaker/TrainMouthSync/speak.py FOLDER COUNT \
            makes it): mouths are made to move as they want. --videos is a list of real clips, a line each: \
            PATH, tab, the frames by which the file's sound is known to be early, tab, `train` or `check`. \
            Nothing is trained on clips to check; every so many steps it is said how well they are scored. The \
            same input and seed make the same weights. See docs/mouth-sync.md.
            """)

    @Option(help: ArgumentHelp("A folder that speak.py made.", valueName: "dir"))
    var speech: String?

    @OptionGroup var clips: ClipOptions

    @Option(help: ArgumentHelp("The weights to write.", valueName: "file"))
    var output: String

    @Option(help: "The number of steps.")
    var steps = MouthSyncTrainer.Options().steps

    @Option(help: "The share of pieces with synthetic mouths, where there are real ones too.")
    var syntheticShare = MouthSyncTrainer.Options().syntheticShare

    @Option(help: "The greatest learning rate.")
    var learningRate = MouthSyncTrainer.Options().learningRate

    @Option(help: "Another seed gives other weights.")
    var seed = 0

    @Option(help: "The steps between two checks.")
    var checkEvery = 500

    func run() throws {
        try reporting {
            guard checkEvery > 0 else { throw ValidationError("--check-every: 1 or more") }
            useThreads(1)
            let synthetic = try speech.map(readSpeech) ?? []
            let (real, check) = try clips.read()
            say(
                "\(synthetic.count) synthetic clips, \(real.count) real ones, \(check.count) to check"
            )
            var options = MouthSyncTrainer.Options()
            (options.steps, options.syntheticShare) = (steps, syntheticShare)
            (options.learningRate, options.seed) = (learningRate, seed)
            let trainer = try MouthSyncTrainer(synthetic: synthetic, real: real, options)
            var (sum, count) = (0.0, 0.0)
            try trainer.train { step, loss in
                (sum, count) = (sum + loss, count + 1)
                guard step % checkEvery == 0 || step == steps else { return }
                say("step \(step): loss \(String(format: "%.3f", sum / count))")
                (sum, count) = (0, 0)
                try trainer.write(to: output, metadata: ["step": "\(step)", "seed": "\(seed)"])
                guard !check.isEmpty else { return }
                trainer.withAverage {
                    say("    5 s: " + SyncTrial($0, clips: check, frames: 125).summary)
                }
            }
        }
    }

    private func readSpeech(_ folder: String) throws -> [SyncClip] {
        let files = try FileManager.default.contentsOfDirectory(atPath: folder)
            .filter { $0.hasSuffix(".wav") }.sorted()
        let progress = ProgressLine("speech", total: files.count)
        defer { progress.end() }
        return try files.map { file in
            defer { progress.advance() }
            return try SyncClip(speech: folder + "/" + file, seed: "\(seed)")
        }
    }
}

struct Try: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Score real clips whose sound is in step, as they are and beside the sound of others.",
        discussion: """
            Takes the lines of the list that say `check`. Clips are cut into pieces; where --shift is given, their \
            sound is made late by so many frames, and offsets are counted from there. The JSON holds the offset \
            and the confidence of every piece.
            """)

    @Option(
        help: ArgumentHelp(
            "The weights; those that come with Loopy when left out.", valueName: "file"))
    var weights: String?

    @OptionGroup var clips: ClipOptions

    @Option(help: "The length of a piece in seconds.")
    var seconds = 5.0

    @Option(help: "The frames by which the sound is made late.")
    var shift = 0

    @Option(help: ArgumentHelp("The JSON to write.", valueName: "file"))
    var output: String?

    func run() throws {
        try reporting {
            useThreads(1)
            let network = try MouthSyncNetwork(path: weights ?? EmbeddedNetwork.mouthSync.path)
            let clips = try clips.check()
            let trial = SyncTrial(
                network, clips: clips, frames: Int((seconds * 25).rounded()), shift: shift)
            print(trial.summary)
            if let output { try OutputFile.write(JSONLines.document(trial), to: output) }
        }
    }
}

struct Calibrate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Make a network's confidence a probability, on real clips whose sound is in step.",
        discussion: """
            Takes the lines of the list that say `check`, in pieces of 3, 5, 10 and 20 s, as they are and beside the \
            sound of others, and prints the four numbers of MouthSyncCalibration.found, and how often which \
            confidence is right with them.
            """)

    @Option(
        help: ArgumentHelp(
            "The weights; those that come with Loopy when left out.", valueName: "file"))
    var weights: String?

    @OptionGroup var clips: ClipOptions

    func run() throws {
        try reporting {
            useThreads(1)
            let network = try MouthSyncNetwork(path: weights ?? EmbeddedNetwork.mouthSync.path)
            let clips = try clips.check()
            let trials = [3, 5, 10, 20].map { SyncTrial(network, clips: clips, frames: $0 * 25) }
            let calibration = Calibration(trials)
            print(
                calibration.found.weights.map { String(format: "%.3f", $0) }.joined(separator: ", ")
                    + String(
                        format: ": cross-entropy %.3f, before %.3f", calibration.after,
                        calibration.before))
            print(calibration.diagram(trials))
        }
    }
}

struct ClipOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The list of real clips.", valueName: "file"))
    var videos: String?

    @Option(
        help: ArgumentHelp(
            "The folder of the list's clips; its own when left out.", valueName: "dir"))
    var folder: String?

    /// The clips to check.
    ///
    /// - Throws: `LoopyError` `.configuration` where there are none.
    func check() throws -> [SyncClip] {
        let clips = try read(onlyCheck: true).check
        guard !clips.isEmpty else {
            throw LoopyError(
                .configuration,
                "there is no clip to check: --videos names a list whose lines end in check")
        }
        return clips
    }

    /// Follows the faces of the list's clips; those that cannot be used are named.
    func read(onlyCheck: Bool = false) throws -> (train: [SyncClip], check: [SyncClip]) {
        guard let videos else { return ([], []) }
        let lines = try SyncClipList(path: videos, folder: folder).lines.filter {
            !onlyCheck || !$0.isForTraining
        }
        let follower = try FaceFollower(), voice = try VoiceActivity()
        let progress = ProgressLine("videos", total: lines.count)
        defer { progress.end() }
        var result: (train: [SyncClip], check: [SyncClip]) = ([], [])
        for line in lines {
            defer { progress.advance() }
            do {
                let clip = try SyncClip(
                    video: line.path, soundLead: line.soundLead, follower: follower, voice: voice)
                if line.isForTraining {
                    result.train.append(clip)
                } else {
                    result.check.append(clip)
                }
            } catch let error as LoopyError where error.category.concernsInput {
                say("left out: \(error)")
            }
        }
        return result
    }
}

import ArgumentParser
import Foundation
import Generation
import LoopyModel
import Runs
import StageCommand

@main
struct LoopyGenerate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loopy-generate",
        abstract: "Generate a talking video from one portrait and one recording of speech.",
        usage: """
            loopy-generate --run RUN --image PORTRAIT --audio SPEECH --output OUT.mp4
            loopy-generate --weights DIR --image PORTRAIT --audio SPEECH --output OUT.mp4
            """,
        discussion: """
            The portrait is any picture of one face; it is cropped as in curation. While the video is \
            made, OUT.partial.mp4 holds what there is and can be played; after an interruption --resume \
            goes on with it, to the same bytes. OUT.json says what made the video. Steps and guidance are \
            those that the model was trained to be sampled with, the paper's unless its training says \
            otherwise; fewer --steps, or guidance on a part of them (--set generate.guidance.first=0.2 \
            and last=0.8), are faster.
            """)

    @Option(
        name: .customLong("run"),
        help: ArgumentHelp("The training run whose last checkpoint is used.", valueName: "dir"))
    var trained: String?

    @Option(help: ArgumentHelp("A folder that loopy-train export wrote.", valueName: "dir"))
    var weights: String?

    @Option(help: "With --run: the checkpoint's step. Default: the last one's.")
    var step: Int?

    @Option(help: ArgumentHelp("A picture of one face.", valueName: "file"))
    var image: String

    @Option(help: ArgumentHelp("Speech: anything with sound, of any length.", valueName: "file"))
    var audio: String

    @Option(help: ArgumentHelp("The MP4.", valueName: "file"))
    var output: String

    @Flag(
        help: """
            Go on with a video that was interrupted, leave a finished one as it is, and begin where \
            there is none.
            """)
    var resume = false

    @Option(help: "Another seed gives another video. Default: 0.")
    var seed: Int?

    @Option(help: "The number of sampling steps: generate.num_inference_steps. Default: the model's.")
    var steps: Int?

    @Option(help: "How strongly the audio guides: generate.guidance.audio_ratio. Default: the model's.")
    var audioRatio: Double?

    @Option(
        help: "How strongly the portrait guides: generate.guidance.reference_ratio. Default: the model's."
    )
    var referenceRatio: Double?

    @Option(help: "cpu, or cuda:N. Default: cpu.")
    var device: String?

    @Option(help: "float32, bfloat16, or automatic: bfloat16 on a GPU. Default: automatic.")
    var precision: ComputePrecision.Choice?

    @OptionGroup var settings: SettingsOptions

    func validate() throws {
        guard (trained == nil) != (weights == nil) else {
            throw ValidationError("name the model by either --run or --weights")
        }
        guard step == nil || trained != nil else {
            throw ValidationError("--step names a checkpoint of a run: name the run by --run")
        }
    }

    func run() throws {
        try reporting {
            useThreads(settings.threads)
            let trained =
                try trained.map { try TrainedModel(RunDirectory($0), step: step) }
                ?? TrainedModel(folder: weights ?? "")
            let settings = try readSettings(for: trained)
            let model = try PortraitModel(trained, settings)
            let generation = try Generation(
                model, settings, image: image, audio: audio, output: output, resuming: resume)
            try generate(generation)
        }
    }

    private func generate(_ generation: Generation) throws {
        guard !generation.wasFinished else {
            return say(
                "\(output): is finished, from the same portrait, recording, model and settings; without "
                    + "--resume it is made again")
        }
        if generation.audio.seconds < 1 {
            say(
                String(
                    format: "%@: lasts %.2f s, which makes %d frames", audio,
                    generation.audio.seconds, generation.frames))
        }
        let stop = StopSignals()
        let progress = ProgressLine("generate", total: generation.frames)
        progress.advance(to: generation.framesDone)
        let isFinished = try generation.run {
            progress.advance(to: generation.framesDone)
            return !stop.wasAsked
        }
        progress.end()
        guard isFinished else {
            say(
                "stopped after \(generation.framesDone) frames, which are in "
                    + "\(generation.output.partialVideo); --resume goes on")
            throw ExitCode(130)
        }
        say("\(output): \(generation.frames) frames")
    }

    private func readSettings(for model: TrainedModel) throws -> GenerationSettings {
        var read = try settings.read(
            GenerationSettings(sampling: model.description.sampling), section: ["generate"])
        if let seed { read.seed = seed }
        if let steps { read.numInferenceSteps = steps }
        if let audioRatio { read.guidance.audioRatio = audioRatio }
        if let referenceRatio { read.guidance.referenceRatio = referenceRatio }
        if let device { read.device = device }
        if let precision { read.precision = precision }
        try read.validate(as: "generate")
        return read
    }
}

extension ComputePrecision.Choice: ExpressibleByArgument {}

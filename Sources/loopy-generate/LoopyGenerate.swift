import ArgumentParser
import Dataset
import Errors
import Foundation
import Generation
import LoopyModel
import Media
import Runs
import Settings
import StageCommand

@main
struct LoopyGenerate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loopy-generate",
        abstract: "Generate a talking video from one portrait and one recording of speech.",
        usage: """
            loopy-generate --run RUN --image PORTRAIT --audio SPEECH --output OUT.mp4
            loopy-generate --weights DIR --image PORTRAIT --audio SPEECH --output OUT.mp4
            loopy-generate --run RUN --held-out DATASET --output FOLDER
            SPEECH | loopy-generate --weights DIR --image PORTRAIT --stream > OUT.mp4
            """,
        discussion: """
            The portrait is any picture of one face; it is cropped as in curation, or refused with the \
            reason: --any-portrait takes it all the same. A face that is not found, in a drawing or a \
            profile, is given by --crop. While the video is \
            made, OUT.partial.mp4 holds what there is and can be played; after an interruption --resume \
            goes on with it, to the same bytes. OUT.json says what made the video. Steps and guidance are \
            those that the model was trained to be sampled with, the paper's unless its training says \
            otherwise; fewer --steps, or guidance on a part of them (--set generate.guidance.first=0.2 \
            and last=0.8), are faster.

            With --held-out the model makes clips again that it was not trained on, of the dataset's split \
            val: each from its first picture and its sound. FOLDER/generated and FOLDER/true are what \
            loopy-evaluate compares.

            With --stream speech comes in on standard input, 16-bit samples of one channel at --rate, and \
            the video goes to standard output while it is made, as a fragmented MP4. A clip waits for its \
            own speech and 0.12 s more. Loudness is that of the last seconds, where that of a recording is \
            known as a whole.
            """)

    @Option(
        name: .customLong("run"),
        help: ArgumentHelp("The training run whose last checkpoint is used.", valueName: "dir"))
    var trained: String?

    @Option(
        help: ArgumentHelp(
            "A folder that loopy-train export wrote, or small: the model that comes with Loopy.",
            valueName: "dir"))
    var weights: String?

    @Option(help: "With --run: the checkpoint's step. Default: the last one's.")
    var step: Int?

    @Option(help: ArgumentHelp("A picture of one face.", valueName: "file"))
    var image: String?

    @Option(
        help: ArgumentHelp(
            """
            The square that is the portrait, in pixels of the upright picture: its left edge, its top \
            edge and its side. No face is looked for, and no rule is asked.
            """, valueName: "x,y,side"))
    var crop: CropSquare?

    @Flag(help: "Warn of what the rules have against the portrait, instead of refusing it.")
    var anyPortrait = false

    @Option(help: ArgumentHelp("Speech: anything with sound, of any length.", valueName: "file"))
    var audio: String?

    @Option(
        help: ArgumentHelp(
            "A dataset whose held-out clips are made again, instead of a portrait and speech.",
            valueName: "dataset"))
    var heldOut: String?

    @Option(help: "With --held-out: the time of the clips together, about. Default: 60.")
    var seconds: Double?

    @Flag(help: "Speak while speech comes in on standard input; the video goes to standard output.")
    var stream = false

    @Option(
        help: ArgumentHelp(
            "With --stream: the samples a second, \(Self.rates). Default: 16000.", valueName: "hz"))
    var rate: Int?

    @Option(help: ArgumentHelp("The MP4; with --held-out a folder.", valueName: "path"))
    var output: String?

    private static let rates = "16000, 24000, 32000, 44100 or 48000"

    @Flag(
        help: """
            Go on with a video that was interrupted, leave a finished one as it is, and begin where \
            there is none.
            """)
    var resume = false

    @Option(help: "Another seed gives another video. Default: 0.")
    var seed: Int?

    @Option(
        help: """
            exact: as the model is sampled best. fast: about as near to it, in 6 of 10 steps. draft: for a \
            look, in 4 of 10 steps, half of them guided. Other options go before it. A distilled model has \
            its own steps whatever the quality. Default: exact.
            """)
    var quality = GenerationSettings.Quality.exact

    @Option(
        help: "The number of sampling steps: generate.num_inference_steps. Default: the model's.")
    var steps: Int?

    @Option(
        help: "How strongly the audio guides: generate.guidance.audio_ratio. Default: the model's.")
    var audioRatio: Double?

    @Option(
        help:
            "How strongly the portrait guides: generate.guidance.reference_ratio. Default: the model's."
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
        if stream {
            guard image != nil, audio == nil, heldOut == nil, output == nil, !resume else {
                throw ValidationError(
                    "--stream goes with --image, and without --audio, --output, --held-out and --resume"
                )
            }
            guard [16_000, 24_000, 32_000, 44_100, 48_000].contains(rate ?? 16_000) else {
                throw ValidationError("--rate: take \(Self.rates)")
            }
            return
        }
        guard rate == nil else { throw ValidationError("--rate goes with --stream") }
        let isOne = image != nil && audio != nil
        let hasNothingOfOne = image == nil && audio == nil && crop == nil && !anyPortrait
        guard heldOut == nil ? isOne : hasNothingOfOne else {
            throw ValidationError("give --image and --audio, or --held-out without either")
        }
        guard let output, !output.isEmpty else {
            throw ValidationError("name the video by --output")
        }
        guard heldOut != nil || seconds == nil else {
            throw ValidationError("--seconds goes with --held-out")
        }
        guard seconds.map({ $0 > 0 }) ?? true else {
            throw ValidationError("--seconds: take more than 0")
        }
    }

    func run() throws {
        try reporting {
            useThreads(settings.threads)
            // What cannot be is said before any file is looked for.
            _ = try readSettings()
            let trained =
                try trained.map { try TrainedModel(RunDirectory($0), step: step) }
                ?? TrainedModel(folder: ModelManifest.resolve(weights ?? "") ?? weights ?? "")
            let settings = try readSettings(of: trained.description)
            let model = try PortraitModel(trained, settings)
            let output = output ?? ""
            if let image, stream {
                try generateLive(image, model, settings)
            } else if let image, let audio {
                let generation = try Generation(
                    model, settings, image: image, portrait: portrait, audio: audio,
                    output: output, resuming: resume)
                for warning in generation.portrait.warnings { say("warning: \(warning)") }
                try generate(generation, StopSignals())
            } else if let heldOut {
                try generate(
                    HeldOutClips(DatasetDirectory(heldOut), seconds: seconds ?? 60, to: output),
                    model, settings)
            }
        }
    }

    private func generate(
        _ clips: HeldOutClips, _ model: PortraitModel, _ settings: GenerationSettings
    ) throws {
        let stop = StopSignals()
        for key in clips.keys {
            guard !stop.wasAsked else {
                say("stopped; --resume goes on")
                throw ExitCode(130)
            }
            func generation(resuming: Bool) throws -> Generation {
                try Generation(
                    model, settings, image: clips.pictures(key), portrait: .square(clips.square),
                    audio: clips.sound(key), output: clips.generated(key), resuming: resuming)
            }
            do {
                try generate(generation(resuming: resume), stop)
            } catch let error as LoopyError where error.category == .unsuitable && resume {
                // An earlier model began it.
                try generate(generation(resuming: false), stop)
            }
        }
    }

    private func generateLive(
        _ image: String, _ model: PortraitModel, _ settings: GenerationSettings
    ) throws {
        let output = FileHandle.standardOutput
        let started = ContinuousClock.now
        var isBegun = false
        let generation = try LiveGeneration(
            model, settings, image: image, portrait: portrait, rate: rate ?? 16_000
        ) { bytes in
            do {
                try output.write(contentsOf: Data(bytes))
            } catch {
                throw LoopyError(
                    .output, "standard output: cannot be written (\(error.localizedDescription))")
            }
            if !isBegun {
                say(
                    String(
                        format: "the first picture after %.2f s",
                        (ContinuousClock.now - started) / .seconds(1)))
            }
            isBegun = true
        }
        for warning in generation.portrait.warnings { say("warning: \(warning)") }
        say(
            String(
                format: "listening; a clip begins with %.2f s of speech", generation.secondsAhead))
        // Half of a sample may come in.
        var rest: [UInt8] = []
        while true {
            let data = rest + FileHandle.standardInput.availableData
            guard data.count > rest.count else { break }
            let samples = stride(from: 0, to: data.count - 1, by: 2).map {
                Float(Int16(bitPattern: UInt16(data[$0]) | UInt16(data[$0 + 1]) << 8)) / 32768
            }
            rest = Array(data[(samples.count * 2)...])
            if !samples.isEmpty { try generation.hear(samples) }
        }
        try generation.hear([])
        guard generation.frames > 0 else {
            throw LoopyError(.unsuitable, "standard input: no sound came in")
        }
        say("\(generation.frames) frames")
    }

    private var portrait: PortraitChoice {
        crop.map { .square($0) } ?? (anyPortrait ? .anyFace : .judged)
    }

    private func generate(_ generation: Generation, _ stop: StopSignals) throws {
        guard !generation.wasFinished else {
            return say(
                "\(generation.output.video): is finished, from the same portrait, recording, model and settings; without "
                    + "--resume it is made again")
        }
        if generation.audio.seconds < 1 {
            say(
                String(
                    format: "%@: lasts %.2f s, which makes %d frames", generation.audio.path,
                    generation.audio.seconds, generation.frames))
        }
        let progress = ProgressLine("generate", total: generation.frames)
        progress.advance(to: generation.framesDone)
        let isFinished = try generation.run {
            progress.advance(to: generation.framesDone)
            return !stop.wasAsked
        }
        progress.advance(to: generation.framesDone)
        progress.end()
        guard isFinished else {
            say(
                "stopped after \(generation.framesDone) frames, which are in "
                    + "\(generation.output.partialVideo); --resume goes on")
            throw ExitCode(130)
        }
        say("\(generation.output.video): \(generation.frames) frames")
    }

    /// - Parameter model: says how it is sampled best, which are the defaults.
    private func readSettings(
        of model: TrainedModel.Description? = nil
    ) throws -> GenerationSettings {
        var defaults = GenerationSettings(sampling: model?.sampling ?? SamplingSettings())
        // A distilled model has but one way, which is faster than any quality.
        if model?.model.stage != .distilled { defaults.use(quality) }
        var read = try settings.read(defaults, section: ["generate"])
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
extension GenerationSettings.Quality: ExpressibleByArgument {}

extension CropSquare: ExpressibleByArgument {
    public init?(argument: String) {
        let numbers = argument.split(separator: ",", omittingEmptySubsequences: false).map {
            Int($0)
        }
        guard numbers.count == 3, let x = numbers[0], let y = numbers[1], let side = numbers[2]
        else { return nil }
        self.init(x: x, y: y, side: side)
    }
}

import ArgumentParser
import StageCommand
import SyntheticSpeaker

@main
struct RenderSpeaker: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "render-speaker",
        abstract: "Make a video of a portrait that speaks, of which everything is known.",
        discussion: """
            The mouth's motion is a function of the speech, and nothing else; the head sways, nods and \
            blinks as the seed says. OUT.jsonl holds a line for each head in each frame: how far the mouth \
            is open, pose, blink, position, who speaks, and by how many frames the sound is late. The same \
            input and seed make the same bytes. See docs/speaker.md.
            """)

    @Option(help: ArgumentHelp("A picture of one face.", valueName: "file"))
    var portrait: String

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Speech: anything with sound; several files are spoken one after the other.",
            valueName: "file"))
    var speech: [String]

    @Option(help: ArgumentHelp("The MP4.", valueName: "file"))
    var output: String

    @Option(help: "The number of frames by which the sound is late; negative where it is early.")
    var shift = 0

    @Option(help: "At most so many seconds of the speech. Default: all of it.")
    var seconds: Double?

    @Option(help: "Another seed gives another motion of the head.")
    var seed: UInt64 = 0

    @Flag(help: "Show a second head beside the speaker, which is silent.")
    var bystander = false

    @Option(help: "The side of the square in which a head is shown, in pixels: an even number.")
    var size = 384

    @Option(help: "x264's constant rate factor: lower is better and larger.")
    var crf = 17

    func validate() throws {
        guard size.isMultiple(of: 2), (64...4096).contains(size) else {
            throw ValidationError("--size \(size): take an even number from 64 to 4096")
        }
        guard seconds.map({ $0 >= 0.04 }) ?? true else {
            throw ValidationError("--seconds: a frame lasts 0.04 s")
        }
        guard (0...51).contains(crf) else { throw ValidationError("--crf: 0 to 51") }
        guard output.hasSuffix(".mp4") else { throw ValidationError("--output: end it in .mp4") }
    }

    func run() throws {
        try reporting {
            var options = SpeakerVideo.Options()
            (options.size, options.shift, options.seconds) = (size, shift, seconds)
            (options.seed, options.hasBystander, options.crf) = (seed, bystander, crf)
            let video = try SpeakerVideo(portrait: portrait, speech: speech, options)
            let progress = ProgressLine("render", total: video.frames)
            try video.write(to: output) { progress.advance(to: $0) }
            progress.end()
            say("\(output): \(video.frames) frames")
        }
    }
}

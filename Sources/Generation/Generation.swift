import Foundation
import Media
import Storage
import Torch

/// Makes a talking video of a portrait and a recording, clip by clip: memory does not grow with its length.
///
///     OUT.partial.mp4           what there is so far; it can be played
///     OUT.partial.safetensors   what is needed to go on
///     OUT.mp4, OUT.json         the video, and what made it, when it is finished
///
/// The same portrait, recording, weights and settings give the same bytes on the same machine, with or
/// without an interruption.
public final class Generation {
    public let portrait: CroppedPortrait
    public let audio: SpokenAudio
    public let output: GenerationOutput
    public var frames: Int { audio.frames }
    /// The number of frames that are done.
    public private(set) var framesDone: Int
    /// Whether an earlier process finished the video.
    public let wasFinished: Bool

    private let model: PortraitModel
    private let settings: GenerationSettings
    private let record: GenerationRecord
    /// Where an earlier process left the video.
    private let past: GenerationOutput.State?
    private let times: PartTimes
    /// The number of frames whose pictures are there, or being written.
    private var framesBegun: Int
    /// What writes the pictures of a clip while the next one is denoised; gives the seconds that it took.
    private var writing: Background<Double>?

    /// What the video is made with.
    private struct Making {
        var sampler: VideoSampler
        let video: GrowingVideo
    }

    /// - Parameters:
    ///   - image: any picture that FFmpeg reads, of one face.
    ///   - portrait: which part of it is the portrait.
    ///   - audio: anything with sound that FFmpeg reads.
    ///   - output: path of the MP4.
    ///   - resuming: whether to go on with an interrupted video, and to leave a finished one as it is.
    /// - Throws: `LoopyError` that says which file, what is wrong with it, and what to do.
    public init(
        _ model: PortraitModel, _ settings: GenerationSettings, image: String,
        portrait choice: PortraitChoice = .judged, audio: String, output: String,
        resuming: Bool = false
    ) throws {
        self.model = model
        self.settings = settings
        self.output = try GenerationOutput(output)
        self.audio = try SpokenAudio(audio)
        portrait = try CroppedPortrait(
            image, choice, settings, clipSide: model.clipSide, side: model.side)
        record = GenerationRecord(
            model: (model.trained.path as NSString).lastPathComponent,
            weights: try model.trained.digests(), step: model.trained.description.step,
            portrait: .init(path: image, sha256: portrait.digest, crop: portrait.crop),
            audio: .init(
                path: audio, sha256: self.audio.digest, seconds: self.audio.seconds),
            frames: self.audio.frames, side: model.side, settings: settings)

        past = resuming ? try self.output.past(of: record) : nil
        times = PartTimes(past?.seconds ?? [:])
        wasFinished = resuming && past == nil ? try self.output.isFinished(record) : false
        framesDone = wasFinished ? self.audio.frames : past?.progress.frames ?? 0
        framesBegun = framesDone
    }

    private func begin() throws -> Making {
        if past == nil { output.forget() }
        let sampler = try VideoSampler(
            model.model, model.schedule, settings, reference: model.encode(portrait),
            past: past.map { ($0.history, $0.progress.pieces) })
        var encoding = settings.video
        encoding.size = model.side
        try OutputFile.makeFolder((output.video as NSString).deletingLastPathComponent)
        let video = try GrowingVideo(
            path: output.partialVideo, sound: audio.path, encoding: encoding, frames: frames,
            continuing: past?.progress ?? .init())
        return Making(sampler: sampler, video: video)
    }

    /// Generates what is missing.
    ///
    /// - Parameter onClip: called after each clip; false stops.
    /// - Returns: whether the video is finished.
    /// - Throws: `LoopyError` `.output` when something cannot be written.
    public func run(_ onClip: () throws -> Bool) throws -> Bool {
        struct Stopped: Error {}
        guard !wasFinished else { return true }
        var making = try begin()
        var number = 0
        var listening = ContinuousClock.now
        do {
            try audio.clips(of: model.model.configuration.frames, by: model.speech) { speech in
                number += 1
                guard number > making.sampler.clips else { return }
                times.add(.speech, (ContinuousClock.now - listening) / .seconds(1))
                try makeClip(speech, &making)
                listening = .now
                if try !onClip(), framesBegun < frames { throw Stopped() }
            }
        } catch is Stopped {
            try finishWriting(making)
            return false
        }
        try finishWriting(making)
        try output.finish(making.video, record, seconds: times.seconds)
        return true
    }

    private func makeClip(_ speech: Tensor, _ making: inout Making) throws {
        let latents = try making.sampler.next(speech: speech, times)
        // The last clip is generated whole, and cut.
        let count = min(latents.length(0), frames - framesBegun)
        let pictures = times.measure(.decoding) { model.decode(latents[0..<count]) }
        framesBegun += count
        try finishWriting(making)
        let history = making.sampler.history.to(.cpu), seconds = times.seconds
        writing = Background { [output, record, video = making.video] in
            let started = ContinuousClock.now
            try video.append(pictures)
            try output.keep(
                .init(progress: video.progress, history: history, seconds: seconds), of: record)
            return (ContinuousClock.now - started) / .seconds(1)
        }
    }

    private func finishWriting(_ making: Making) throws {
        guard let writing else { return }
        self.writing = nil
        times.add(.encoding, try writing.result().get())
        framesDone = making.video.progress.frames
    }
}

import Dataset
import Foundation
import Media
import Torch

/// A portrait and a recording to a talking video, clip by clip: memory does not grow with its length.
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
    /// Frames that are done.
    public var framesDone: Int { video.place.frames }
    public var frames: Int { audio.frames }

    private let model: PortraitModel
    private let settings: GenerationSettings
    private let record: GenerationRecord
    private let video: GrowingVideo
    private var sampler: VideoSampler
    private let times: PartTimes

    /// - Parameters:
    ///   - image: any picture that FFmpeg reads, of one face.
    ///   - audio: anything with sound that FFmpeg reads.
    ///   - output: path of the MP4.
    ///   - resuming: whether a video that was interrupted is gone on with, where there is one.
    /// - Throws: `MediaError`, `GenerationError`, `DatasetError`: which file, what is wrong with it, and
    ///   what to do.
    public init(
        _ model: PortraitModel, _ settings: GenerationSettings, image: String, audio: String,
        output: String, resuming: Bool = false
    ) throws {
        self.model = model
        self.settings = settings
        self.output = GenerationOutput(output)
        self.audio = try SpokenAudio(audio)
        portrait = try CroppedPortrait(
            image, settings, clipSide: model.clipSide, side: model.side)
        record = GenerationRecord(
            weights: try model.trained.digests(), step: model.trained.description.step,
            portrait: .init(path: image, sha256: portrait.digest, crop: portrait.crop),
            audio: .init(
                path: audio, sha256: self.audio.digest, seconds: self.audio.seconds),
            frames: self.audio.frames, side: model.side, settings: settings)

        let past = resuming ? try self.output.past(of: record) : nil
        if past == nil { self.output.forget() }
        sampler = try VideoSampler(
            model, settings, reference: model.encode(portrait),
            past: past.map { ($0.history, $0.place.pieces) })
        times = PartTimes(past?.seconds ?? [:])
        var encoding = settings.video
        encoding.size = model.side
        try OutputFile.makeFolder((output as NSString).deletingLastPathComponent)
        video = try GrowingVideo(
            path: self.output.partialVideo, sound: audio, encoding: encoding,
            frames: self.audio.frames, goingOnAt: past?.place ?? .init())
    }

    /// Generates what is missing.
    ///
    /// - Parameter onClip: called after each clip; false stops.
    /// - Returns: whether the video is finished.
    /// - Throws: `MediaError` and `DatasetError` when something cannot be written.
    public func run(_ onClip: () throws -> Bool) throws -> Bool {
        struct Stopped: Error {}
        var clips = SpeechClips(frames: model.model.configuration.frames, total: frames)
        var number = 0
        var listening = ContinuousClock.now
        do {
            try model.speech.encode(audio.recording) { features in
                try clips.add(features) { speech in
                    number += 1
                    guard number > sampler.clips else { return }
                    times.add(.speech, (ContinuousClock.now - listening) / .seconds(1))
                    try makeClip(speech)
                    listening = .now
                    if try !onClip(), framesDone < frames { throw Stopped() }
                }
            }
        } catch is Stopped {
            return false
        }
        try output.finish(video, record, seconds: times.seconds)
        return true
    }

    private func makeClip(_ speech: Tensor) throws {
        let latents = try sampler.next(speech: speech, times)
        // The last clip is generated whole, and cut.
        let count = min(latents.length(0), frames - framesDone)
        let pictures = times.measure(.decoding) { model.decode(latents[0..<count]) }
        try times.measure(.encoding) {
            try video.append(pictures)
            try output.keep(
                .init(place: video.place, history: sampler.history, seconds: times.seconds),
                of: record)
        }
    }
}

import Media
import Speech
import Torch

/// Makes a talking video of a portrait while the speech comes in, clip by clip.
///
/// The same sound makes the same video, in whatever pieces it comes. It is not that of a whole recording: what
/// comes later is not known, and loudness is that of the last seconds.
public final class LiveGeneration {
    public let portrait: CroppedPortrait
    /// The number of frames so far.
    public private(set) var frames = 0

    private let model: PortraitModel
    private let video: LiveVideo
    private let sound: LiveSound
    private var speech: LiveSpeech
    private var sampler: VideoSampler
    private let times = PartTimes()
    /// What was heard and is not in the video yet.
    private var waiting: [Float] = []
    /// The number of samples that `speech` has heard.
    private var heard = 0

    /// - Parameters:
    ///   - image: any picture that FFmpeg reads, of one face.
    ///   - choice: which part of it is the portrait.
    ///   - rate: the samples a second of the sound: a rate of AAC's that 25 divides.
    ///   - write: takes the bytes of a fragmented MP4, in turn.
    /// - Throws: `LoopyError` that says which file, what is wrong with it, and what to do.
    public init(
        _ model: PortraitModel, _ settings: GenerationSettings, image: String,
        portrait choice: PortraitChoice = .judged, rate: Int,
        write: @escaping ([UInt8]) throws -> Void
    ) throws {
        self.model = model
        portrait = try CroppedPortrait(
            image, choice, settings, clipSide: model.clipSide, side: model.side)
        sampler = try VideoSampler(
            model.model, model.schedule, settings, reference: model.encode(portrait))
        speech = LiveSpeech(frames: model.model.configuration.frames, encoder: model.speech)
        var encoding = settings.video
        encoding.size = model.side
        video = try LiveVideo(encoding: encoding, rate: rate, write: write)
        sound = LiveSound(rate: rate)
    }

    /// The seconds of sound that a clip waits for behind its beginning.
    public var secondsAhead: Double {
        Double(model.model.configuration.frames + LiveSpeech.lookahead) / 25
    }

    /// Hears more, and makes what can be made then.
    ///
    /// - Parameter samples: from -1 to 1; none at the end.
    /// - Throws: what `write` throws.
    public func hear(_ samples: [Float]) throws {
        waiting += samples
        let isEnd = samples.isEmpty
        let total = frames + (waiting.count + video.samplesPerFrame - 1) / video.samplesPerFrame
        var more = try sound.resample(samples)
        if isEnd {
            // Resampling may round the end into another frame.
            let missing = max(0, total * Recording.samplesPerFrame - heard)
            more = Array((more + [Float](repeating: 0, count: missing)).prefix(missing))
        }
        heard += more.count
        try speech.hear(more, isEnd: isEnd) { windows, count in
            let latents = try sampler.next(speech: windows, times)
            let spoken = min(waiting.count, count * video.samplesPerFrame)
            try video.append(
                model.decode(latents[0..<count]), sound: Array(waiting.prefix(spoken)),
                isLast: isEnd && frames + count >= total)
            waiting.removeFirst(spoken)
            frames += count
        }
    }
}

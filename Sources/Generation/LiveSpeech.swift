import Speech
import Torch

/// Speech as it comes in: what each clip hears, as soon as enough of it is known.
///
/// A clip hears the last seconds before it, and `lookahead` frames behind it. Loudness is that of these seconds,
/// and of what was loudest before.
package struct LiveSpeech {
    /// The number of frames behind a clip that must have been heard: those of the windows of its last frame, and
    /// one for the encoder's own windows.
    package static let lookahead = SpeechWindows.radius + 1
    /// The number of frames that are heard again for a clip, at most.
    private static let memory = 200

    /// F: the number of frames of a clip.
    private let frames: Int
    private let encoder: any SpeechEncoder
    /// The samples from the first one of frame `first` on.
    private var samples: [Float] = []
    private var first = 0
    /// The first frame of the next clip.
    private var next = 0
    /// The greatest variance of what a clip has heard.
    private var loudest = 0.0

    /// The least variance that a clip is taken for, if it is nothing but noise: -50 dB.
    private static let leastVariance = 1e-5
    /// The part of the greatest variance so far that a silence is taken for, at least: 10 dB less.
    private static let quiet = 0.1

    package init(frames: Int, encoder: any SpeechEncoder) {
        (self.frames, self.encoder) = (frames, encoder)
    }

    /// Hears more, and hands out each clip that can be made then.
    ///
    /// - Parameters:
    ///   - more: samples at 16 kHz.
    ///   - isEnd: whether nothing comes behind: a clip that has begun is handed out whole.
    ///   - body: gets speech windows `[F, 5, L, S]`, and how many of the clip's frames there are.
    /// - Throws: what encoding and `body` throw.
    package mutating func hear(
        _ more: [Float], isEnd: Bool = false, _ body: (Tensor, Int) throws -> Void
    ) throws {
        samples += more
        while true {
            let known = first + Recording.frames(samples: samples.count)
            let whole = first + samples.count / Recording.samplesPerFrame
            guard isEnd ? next < known : whole >= next + frames + Self.lookahead else { return }
            let windows = try windows(known: known)
            let count = min(frames, known - next)
            next += frames
            forget()
            try body(windows, count)
        }
    }

    private mutating func windows(known: Int) throws -> Tensor {
        let end = min(known, next + frames + Self.lookahead)
        let heard = Array(
            samples.prefix((end - first) * Recording.samplesPerFrame))
        let mean = heard.reduce(0.0) { $0 + Double($1) } / Double(max(1, heard.count))
        let variance =
            heard.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
            / Double(max(1, heard.count))
        loudest = max(loudest, variance)
        encoder.leastVariance = max(Self.leastVariance, loudest * Self.quiet)
        defer { encoder.leastVariance = 0 }
        let start = next - first
        return SpeechWindows.windows(
            try encoder.encode(Recording(heard)), frames: start..<(start + frames))
    }

    /// Forgets whole frames that no clip will hear.
    private mutating func forget() {
        let stale = max(0, next + frames - Self.memory - first)
        let count = min(samples.count, stale * Recording.samplesPerFrame)
        samples.removeFirst(count)
        first += count / Recording.samplesPerFrame
    }
}

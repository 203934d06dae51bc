import Errors
import Foundation
import Media
import Storage

/// A video of a portrait that speaks a recording, and what is true of each of its frames.
public struct SpeakerVideo {
    /// What can be chosen about a video.
    public struct Options: Sendable {
        /// The side of the square in which a head is shown, in pixels: an even number.
        public var size = 384
        /// The number of frames by which the sound is late against the pictures; negative where it is early.
        public var shift = 0
        /// At most so many seconds of the speech; nil for all of it.
        public var seconds: Double?
        public var seed: UInt64 = 0
        /// Whether a second head, which is silent, is seen to the right of the speaker.
        public var hasBystander = false
        public var crf = 17

        public init() {}
    }

    public let truth: [SpeakerTruth]
    /// The number of frames.
    public let frames: Int
    /// The speech that is spoken, in step with the pictures: 16 kHz, 640 samples a frame.
    public let samples: [Float]
    public var width: Int { options.size * (options.hasBystander ? 2 : 1) }
    public var height: Int { options.size }

    private let options: Options
    private let renderer: HeadRenderer
    private let mouth: SpeechMouth
    private let motion: HeadMotion, bystander: HeadMotion

    /// - Parameters:
    ///   - portrait: a picture of one face.
    ///   - speech: files with sound, which are spoken one after the other, equally loud.
    /// - Throws: `LoopyError` for files that cannot be used.
    public init(portrait: String, speech: [String], _ options: Options) throws {
        var samples = try Self.samples(of: speech)
        let wanted = options.seconds.map { Int($0 * Double(Grid.framesPerSecond)) } ?? Int.max
        frames = min(wanted, (samples.count + Grid.samplesPerFrame - 1) / Grid.samplesPerFrame)
        guard frames > 0 else {
            throw LoopyError(.unsuitable, "there is no sound in it", path: speech.first)
        }
        let count = frames * Grid.samplesPerFrame
        samples = Array(samples.prefix(count))
        samples += [Float](repeating: 0, count: count - samples.count)
        self.samples = samples
        self.options = options
        mouth = try SpeechMouth(samples)
        renderer = HeadRenderer(try PortraitFace(path: portrait, size: options.size))
        let seconds = Double(frames) / Double(Grid.framesPerSecond)
        motion = HeadMotion(seed: options.seed, name: "speaker", seconds: seconds)
        bystander = HeadMotion(seed: options.seed, name: "bystander", seconds: seconds)
        truth = Self.truth(
            options, frames: frames, renderer, mouth, motion: motion, bystander: bystander)
    }

    /// The files' sound: each with a root mean square of 0.08, and half a second of silence behind each but
    /// the last.
    private static func samples(of files: [String]) throws -> [Float] {
        var result: [Float] = []
        for file in files {
            let stream = try AudioStream(path: file)
            let samples = try stream.next(stream.sampleCount)
            let power = samples.reduce(0.0) { $0 + Double($1) * Double($1) }
            let level = (power / Double(max(1, samples.count))).squareRoot()
            guard level > 1e-4 else {
                throw LoopyError(.unsuitable, "holds no sound that can be heard", path: file)
            }
            if !result.isEmpty {
                result += [Float](repeating: 0, count: Grid.sampleRate / 2)
            }
            let peak = samples.reduce(0) { max($0, abs($1)) }
            let gain = min(Float(0.08 / level), 0.95 / peak)
            result += samples.map { $0 * gain }
        }
        return result
    }

    private static func state(_ motion: HeadMotion, at frame: Int) -> HeadState {
        motion.state(at: (Double(frame) + 0.5) / Double(Grid.framesPerSecond))
    }

    private static func truth(
        _ options: Options, frames: Int, _ renderer: HeadRenderer, _ mouth: SpeechMouth,
        motion: HeadMotion, bystander: HeadMotion
    ) -> [SpeakerTruth] {
        (0..<frames).flatMap { frame -> [SpeakerTruth] in
            func row(
                _ head: SpeakerTruth.Head, _ state: HeadState, opening: Double, spread: Double,
                isMirrored: Bool
            ) -> SpeakerTruth {
                let eyes = renderer.betweenEyes(state)
                let side = Double(options.size)
                let sign = isMirrored ? -1.0 : 1
                return SpeakerTruth(
                    frame: frame, head: head,
                    speaks: head == .speaker && mouth.isHeard[frame], opening: opening,
                    width: renderer.mouth.width(spread: spread), blink: state.blink,
                    yaw: sign * state.yaw, pitch: state.pitch, roll: sign * state.roll,
                    x: isMirrored ? 2 * side - Double(eyes.x) : Double(eyes.x),
                    y: Double(eyes.y), scale: state.scale,
                    eyeDistance: Double(renderer.face.eyeDistance), soundShift: options.shift)
            }
            let speaker = row(
                .speaker, state(motion, at: frame),
                opening: mouth.opening[frame] * MouthWarp.greatestOpening,
                spread: mouth.spread[frame], isMirrored: false)
            guard options.hasBystander else { return [speaker] }
            return [
                speaker,
                row(
                    .bystander, state(bystander, at: frame), opening: 0, spread: 0,
                    isMirrored: true),
            ]
        }
    }

    /// Draws one frame: 8-bit RGB, `[height, width, 3]`.
    public func picture(_ frame: Int) -> [UInt8] {
        var canvas = [UInt8](repeating: 0, count: width * height * 3)
        renderer.draw(
            Self.state(motion, at: frame),
            opening: mouth.opening[frame] * MouthWarp.greatestOpening,
            spread: mouth.spread[frame], into: &canvas, width: width, left: 0)
        if options.hasBystander {
            renderer.draw(
                Self.state(bystander, at: frame), opening: 0, spread: 0, into: &canvas,
                width: width, left: options.size,
                look: .init(isMirrored: true, tint: SIMD4(0.85, 0.9, 0.96, 1)))
        }
        return canvas
    }

    /// The sound track: the speech, late or early by the shift.
    public var sound: [Float] {
        let shift = options.shift * Grid.samplesPerFrame
        let silence = [Float](repeating: 0, count: min(samples.count, abs(shift)))
        return shift >= 0
            ? silence + samples.dropLast(silence.count)
            : samples.dropFirst(silence.count) + silence
    }

    /// Writes the video as MP4: H.264, 25 pictures a second, and AAC; and the truth beside it, a line for each
    /// head in each frame, as `.jsonl`.
    ///
    /// - Parameter onFrames: called with the number of frames that are drawn.
    /// - Throws: `LoopyError` when a file cannot be written.
    public func write(to path: String, onFrames: (Int) -> Void = { _ in }) throws {
        let base = (path as NSString).deletingPathExtension
        try OutputFile.makeFolder((path as NSString).deletingLastPathComponent)
        let (track, partial) = (base + ".partial.flac", base + ".partial.mp4")
        defer {
            try? FileManager.default.removeItem(atPath: track)
            try? FileManager.default.removeItem(atPath: partial)
        }
        try OutputFile.write(FLAC.encode(sound), to: track)
        var encoding = VideoEncoding()
        (encoding.size, encoding.crf) = (options.size, options.crf)
        let video = try GrowingVideo(
            path: partial, sound: track, encoding: encoding, width: width, frames: frames)
        let piece = 10 * Grid.framesPerSecond
        for start in stride(from: 0, to: frames, by: piece) {
            let end = min(frames, start + piece)
            try video.append((start..<end).map(picture))
            onFrames(end)
        }
        try OutputFile.write(to: path) { try video.finish(to: $0) }
        try JSONLines.write(truth, to: base + ".jsonl")
    }
}

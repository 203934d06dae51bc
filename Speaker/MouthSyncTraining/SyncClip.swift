import Errors
import Foundation
import Media
import Perception
import Runs
import Speech

/// Lips and sound that belong together, frame by frame.
public struct SyncClip: Sendable {
    public let name: String
    /// `[T]`; nil where the lips are not seen.
    public let lips: [LipShape?]
    /// `[T]`: the log-mel spectra of each frame, 4 x 80 values.
    public let spectra: [[Float]]
    /// `[T]`: whether somebody speaks.
    public let isSpeech: [Bool]

    /// A mouth of known truth: made to move as known phones want it.
    ///
    /// - Parameters:
    ///   - sound: a file with speech; beside it, with the suffix `phones`, its phones (speak.py).
    ///   - seed: decides who the speaker is, and how long the silence before and after it lasts.
    /// - Throws: `LoopyError` that names the file.
    public init(speech sound: String, seed: String) throws {
        var numbers = SeededNumbers("mouth", seed, (sound as NSString).lastPathComponent)
        let base = (sound as NSString).deletingPathExtension
        let stream = try AudioStream(path: sound)
        let samples = try stream.next(stream.sampleCount)
        let before = numbers.between(0.1, 1.2), after = numbers.between(0.1, 1)
        let silence = { [Float](repeating: 0, count: Int($0 * Double(Grid.sampleRate))) }
        let padded = silence(before) + samples + silence(after)
        let frames = padded.count / Grid.samplesPerFrame
        let spoken = try Self.phones(of: base + ".phones", after: before)
        let seconds = Double(frames) / Double(Grid.framesPerSecond)
        let end = spoken.last?.end ?? 0
        let phones =
            [Phone(start: 0, end: before, name: "_")] + spoken
            + [Phone(start: end, end: max(end, seconds), name: "_")]
        let lips = Articulation(phones, seconds: seconds, &numbers).lips
        let spectra = try MouthSync.spectra(of: Array(padded.prefix(frames * Grid.samplesPerFrame)))
        name = (base as NSString).lastPathComponent
        self.lips = Array(lips.prefix(spectra.count))
        self.spectra = Array(spectra.prefix(lips.count))
        isSpeech = Array(repeating: true, count: self.spectra.count)
    }

    private static func phones(of path: String, after pause: Double) throws -> [Phone] {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw LoopyError(.missing, "cannot be read; speak.py makes it", path: path)
        }
        return try text.split(separator: "\n").map { line in
            let fields = line.split(separator: " ")
            guard fields.count == 3, let start = Double(fields[0]), let end = Double(fields[1])
            else {
                throw LoopyError(.malformed, "\"\(line)\" is no \"start end phone\"", path: path)
            }
            return Phone(start: start + pause, end: end + pause, name: String(fields[2]))
        }
    }

    /// The face that fills most of a video, and its sound.
    ///
    /// - Parameters:
    ///   - soundLead: the frames by which the file's sound is known to be early.
    ///   - voice: says where somebody speaks.
    /// - Throws: `LoopyError` that names the file, also where there is no face.
    public init(
        video: String, soundLead: Int = 0, follower: FaceFollower, voice: VoiceActivity
    ) throws {
        let probe = try MediaProbe(path: video)
        let reader = try VideoReader(path: video, clock: probe.video.clock, threads: 1)
        guard let face = try follower.longestFace(in: reader) else {
            throw LoopyError(.unsuitable, "no face is seen in it", path: video)
        }
        let samples = try AudioReader.read(
            path: video,
            start: probe.video.clock.startSeconds
                + Double(face.start - soundLead) / Double(Grid.framesPerSecond),
            count: face.moments.count * Grid.samplesPerFrame)
        name = (video as NSString).lastPathComponent
        lips = MouthSyncInput.filled(face.lips)
        spectra = try MouthSync.spectra(of: samples)
        isSpeech = try voice.isSpeech(samples)
    }

    package init(name: String, lips: [LipShape?], spectra: [[Float]]) {
        (self.name, self.lips, self.spectra) = (name, lips, spectra)
        isSpeech = Array(repeating: true, count: spectra.count)
    }

    /// What is seen and heard in some of the frames: the sound of `reach` more on either side, where it is
    /// there.
    package func piece(_ frames: Range<Int>) -> SyncPiece {
        let reach = MouthSyncNetwork.reach
        return SyncPiece(
            lips: frames.map { lips.indices.contains($0) ? lips[$0] : nil },
            spectra: (frames.lowerBound - reach..<frames.upperBound + reach).map {
                spectra.indices.contains($0) ? spectra[$0] : nil
            })
    }
}

/// A piece of a clip, as the network takes it before it is normalised.
package struct SyncPiece {
    /// `[T]`
    package var lips: [LipShape?]
    /// `[T + 30]`
    package var spectra: [[Float]?]

    package var input: MouthSyncInput { MouthSyncInput(lips: lips, spectra: spectra) }
}

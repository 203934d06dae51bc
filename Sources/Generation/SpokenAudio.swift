import Errors
import Features
import Foundation
import Media
import Speech
import Storage
import Torch

/// The recording that a portrait speaks.
public struct SpokenAudio {
    public let path: String
    /// The SHA-256 digest of the file.
    public let digest: String
    /// The number of samples at 16 kHz.
    public let samples: Int
    let recording: Recording
    /// The root mean square below which a recording counts as silent: -60 dB.
    private static let audibleLevel = 0.001

    /// - Parameter path: any file with sound that FFmpeg reads.
    /// - Throws: `LoopyError` `.unsuitable` when nothing can be heard in it; what keeps it from being read.
    package init(_ path: String) throws {
        let stream = try AudioStream(path: path)
        guard stream.sampleCount > 0 else {
            throw LoopyError(.unsuitable, "\(path): holds no sound")
        }
        let level = (stream.variance + stream.mean * stream.mean).squareRoot()
        guard level >= Self.audibleLevel else {
            throw LoopyError(
                .unsuitable,
                String(
                    format: "%@: is silent (%.0f dB; from -60 dB on it counts as sound): there is "
                        + "nothing to say in it", path, 20 * log10(max(level, 1e-7))))
        }
        self.path = path
        digest = try Digest.ofFile(path)
        (recording, samples) = try Recording.file(path)
    }

    public var seconds: Double { Double(samples) / Double(Recording.sampleRate) }
    /// The number of video frames that it lasts, the last of which may only be begun.
    public var frames: Int { Recording.frames(samples: samples) }

    /// Encodes the recording, and hands out what each clip hears as soon as it is known.
    ///
    /// - Parameters:
    ///   - length: F, the number of frames of a clip.
    ///   - body: gets speech windows `[F, 5, L, S]`; behind the recording's end its last frame stands.
    /// - Throws: what encoding and `body` throw.
    package func clips(
        of length: Int, by encoder: any SpeechEncoder, _ body: (Tensor) throws -> Void
    ) throws {
        var clips = SpeechClips(frames: length, total: frames)
        try encoder.encode(recording) { try clips.add($0, body) }
    }
}

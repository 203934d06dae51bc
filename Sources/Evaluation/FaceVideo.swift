import Errors
import Media
import Perception

/// A video and the face in it.
struct FaceVideo {
    let path: String
    let probe: MediaProbe
    let face: FollowedFace
    let threads: Int
}

/// Opens videos and finds the face that fills most of each. The networks are loaded for the first.
final class FaceVideoOpener {
    private let threads: Int
    private var follower: FaceFollower?

    init(threads: Int) { self.threads = threads }

    /// - Parameter advice: what to do where no face is seen.
    /// - Throws: `LoopyError` when the video cannot be decoded, or no face is seen in it.
    func open(_ path: String, advice: String = "") throws -> FaceVideo {
        let follower = try self.follower ?? FaceFollower()
        self.follower = follower
        let probe = try MediaProbe(path: path)
        let reader = try VideoReader(path: path, clock: probe.video.clock, threads: threads)
        guard let face = try follower.longestFace(in: reader) else {
            throw LoopyError(.unsuitable, "\(path): no face is seen in it" + advice)
        }
        return FaceVideo(path: path, probe: probe, face: face, threads: threads)
    }
}

extension MediaProbe {
    /// - Throws: `LoopyError` `.noAudio` when the video has no sound.
    func requireSound(_ path: String) throws {
        guard audio != nil else {
            throw LoopyError(.noAudio, "has no sound that the lips could fit", path: path)
        }
    }

    /// The sound of some frames of a video: 16 kHz, 640 samples a frame.
    func sound(of path: String, _ frames: Range<Int>) throws -> [Float] {
        try AudioReader.read(
            path: path,
            start: video.clock.startSeconds
                + Double(frames.lowerBound) / Double(Grid.framesPerSecond),
            count: frames.count * Grid.samplesPerFrame, isRegular: video.clock.isRegular)
    }
}

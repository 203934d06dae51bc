import Errors
import Foundation
import Media
import Perception
import Storage

/// What `loopy-evaluate sync` says of a video by Loopy's own network.
public struct MouthSyncReport: Encodable, Sendable {
    public let video: String
    public let network = "mouth_sync"
    /// The digest of the network's weights.
    public let weights: String
    /// The first frame that was scored, and how many were, at 25 a second.
    public let start: Int
    public let frames: Int
    public let offset: Double
    public let confidence: Double
    /// The time of speech with visible lips.
    public let seconds: Double
    /// `MouthSyncScore.curve`
    public let curve: [Double]
}

/// Scores the lip-sync of videos by Loopy's own network.
public final class MouthSyncEvaluation {
    private let network: MouthSync
    private let voiceActivity: VoiceActivity
    let digest: String
    private let threads: Int
    private var follower: FaceFollower?

    /// - Parameter weights: the network's file.
    /// - Throws: `LoopyError` for a file that does not hold the network.
    public init(weights: String, threads: Int) throws {
        network = try MouthSync(path: weights)
        voiceActivity = try VoiceActivity()
        digest = try Digest.ofFile(weights)
        self.threads = threads
    }

    /// - Throws: `LoopyError` when the video cannot be decoded, has no sound, or when
    ///   there is no face in it, or too little speech of it.
    public func report(_ path: String) throws -> MouthSyncReport {
        try report(path, probe: MediaProbe(path: path), face: nil)
    }

    /// - Parameter face: that the video is of, where it is known.
    func report(_ path: String, probe: MediaProbe, face: FollowedFace?) throws -> MouthSyncReport {
        try requireSound(probe, path)
        let face = try face ?? longestFace(path, probe)
        let frames = face.start..<(face.start + face.moments.count)
        let reach = MouthSyncNetwork.reach
        let first = max(0, frames.lowerBound - reach)
        let end = min(probe.video.gridFrames, frames.upperBound + reach)
        let heard = first..<max(end, frames.upperBound)
        let samples = try sound(path, probe, heard)
        let (seconds, score) = try network.score(
            lips: face.lips, samples: samples, isSpeech: voiceActivity.isSpeech(samples),
            lead: frames.lowerBound - heard.lowerBound)
        guard let score else {
            throw LoopyError(.unsuitable, "\(path): \(MouthSync.tooLittle(seconds))")
        }
        func rounded(_ value: Double) -> Double { (value * 1e4).rounded() / 1e4 }
        return MouthSyncReport(
            video: path, weights: digest, start: frames.lowerBound, frames: frames.count,
            offset: rounded(score.offset), confidence: rounded(score.confidence),
            seconds: rounded(seconds), curve: score.curve.map(rounded))
    }

    private func longestFace(_ path: String, _ probe: MediaProbe) throws -> FollowedFace {
        let follower = try self.follower ?? FaceFollower()
        self.follower = follower
        return try longest(follower, path, probe, threads, otherwise: "no face is seen in it")
    }
}

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
    private let digest: String
    private let opener: FaceVideoOpener

    /// - Parameter weights: the network's file.
    /// - Throws: `LoopyError` for a file that does not hold the network.
    public init(weights: String, threads: Int) throws {
        network = try MouthSync(path: weights)
        voiceActivity = try VoiceActivity()
        digest = try Digest.ofFile(weights)
        opener = FaceVideoOpener(threads: threads)
    }

    /// - Throws: `LoopyError` when the video cannot be decoded, has no sound, or when
    ///   there is no face in it, or too little speech of it.
    public func report(_ path: String) throws -> MouthSyncReport {
        try MediaProbe(path: path).requireSound(path)
        return try report(opener.open(path))
    }

    func report(_ video: FaceVideo) throws -> MouthSyncReport {
        let (path, probe, face) = (video.path, video.probe, video.face)
        try probe.requireSound(path)
        let frames = face.start..<(face.start + face.moments.count)
        let reach = MouthSyncNetwork.reach
        let first = max(0, frames.lowerBound - reach)
        let end = min(probe.video.gridFrames, frames.upperBound + reach)
        let heard = first..<max(end, frames.upperBound)
        let samples = try probe.sound(of: path, heard)
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
}

import Errors
import Foundation
import Media
import Perception
import Storage

/// What `loopy-evaluate sync` says of a video by SyncNet.
public struct SyncReport: Encodable, Sendable {
    public let video: String
    public let protocolName: LipSyncProtocol
    /// The digest of SyncNet's weights.
    public let weights: String
    /// The first frame that was scored, and how many were, at 25 a second.
    public let start: Int
    public let frames: Int
    public let score: LipSyncScore
    /// The score over those windows alone whose sound is there at every offset.
    public let interior: LipSyncScore?

    private enum CodingKeys: String, CodingKey {
        case video, network, weights, start, frames, windows, offset, confidence, distance, interior
        case protocolName = "protocol"
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(video, forKey: .video)
        try container.encode("syncnet", forKey: .network)
        try container.encode(protocolName, forKey: .protocolName)
        try container.encode(weights, forKey: .weights)
        try container.encode(start, forKey: .start)
        try container.encode(frames, forKey: .frames)
        try container.encode(score.windows, forKey: .windows)
        try container.encode(score.offset, forKey: .offset)
        try container.encode(score.confidence, forKey: .confidence)
        try container.encode(score.distance, forKey: .distance)
        try container.encode(interior, forKey: .interior)
    }
}

/// Scores the lip-sync of videos by SyncNet.
public final class SyncEvaluation {
    private let lipSync: LipSync
    let digest: String
    private let threads: Int
    private let opener: FaceVideoOpener

    /// - Throws: when the weights are not SyncNet's.
    public init(weights: String, threads: Int) throws {
        lipSync = try LipSync(path: weights)
        digest = try Digest.ofFile(weights)
        self.threads = threads
        opener = FaceVideoOpener(threads: threads)
    }

    /// - Throws: `LoopyError` when the video cannot be decoded, has no sound, or when
    ///   there is no face in it, or too little of it.
    public func report(_ path: String, _ protocolName: LipSyncProtocol) throws -> SyncReport {
        try report(path, protocolName, probe: MediaProbe(path: path), face: nil)
    }

    /// - Parameter face: that the video is of, where it is known.
    func report(
        _ path: String, _ protocolName: LipSyncProtocol, probe: MediaProbe, face: FollowedFace?
    ) throws -> SyncReport {
        try probe.requireSound(path)
        let crops: [Affine]
        var range = 0..<probe.video.gridFrames
        switch protocolName {
        case .wholeFrame: crops = []
        case .faceCrop:
            let face =
                try face
                ?? opener.open(path, advice: "; --whole-frame scores the whole picture").face
            range = face.start..<(face.start + face.moments.count)
            crops = LipSync.faceCrops(face.boxes)
        }
        let samples = try probe.sound(of: path, range)
        let reader = try VideoReader(
            path: path, clock: probe.video.clock, range: range, threads: threads)
        let found = try lipSync.score(reader, samples: samples) { index, width, height in
            crops.isEmpty
                ? LipSync.wholeFrame(width: width, height: height)
                : crops[min(index, crops.count - 1)]
        }
        guard let found else {
            throw LoopyError(
                .unsuitable,
                "\(path): is too short: lip-sync needs six frames and their sound")
        }
        return SyncReport(
            video: path, protocolName: protocolName, weights: digest, start: range.lowerBound,
            frames: found.frames, score: found.all, interior: found.interior)
    }
}

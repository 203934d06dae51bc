import Perception

/// How well the sound fits the lips, as SyncNet sees it, in a second pass over the candidate's pictures:
/// what SyncNet sees of a picture depends on where the face is in the six that follow. Embedding takes far
/// longer than decoding.
struct LipSyncMeasurer: MetricMeasurer {
    static let metrics: [Metric] = [.syncConfidence, .syncOffset, .syncDistance]
    static let version = 1

    private let network: LipSync

    init?(networks: [String: String]) throws {
        guard let path = networks["lip_sync"] else { return nil }
        network = try LipSync(path: path)
    }

    func values(of face: TrackedFace) throws -> [Metric: Double?] {
        guard let media = face.media, let samples = try media.sound(face.frames) else { return [:] }
        let crops = LipSync.faceCrops(face.track.boxes)
        let pictures = try media.pictures(face.frames)
        let score = try network.score(pictures, samples: samples) { picture, _, _ in
            crops[min(picture, crops.count - 1)]
        }
        guard let all = score?.all else { return [:] }
        return [
            .syncConfidence: all.confidence, .syncOffset: Double(all.offset),
            .syncDistance: all.distance,
        ]
    }
}

extension Metric {
    // The limits are LatentSync's. They are not applied while nothing measures the values.
    public static let syncConfidence = Metric(
        "sync_confidence", .mean, limits: Limits(minimum: 3), "The confidence of SyncNet (LSE-C).")
    public static let syncOffset = Metric(
        "sync_offset", unit: "frames", .mean, limits: Limits(minimum: -6, maximum: 6),
        "The offset that SyncNet finds, positive where the sound leads.")
    public static let syncDistance = Metric(
        "sync_distance", .mean, "The distance of SyncNet (LSE-D).")
}

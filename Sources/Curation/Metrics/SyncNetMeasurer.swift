import Perception

/// How well the sound fits the lips, as SyncNet sees it, in a second pass over the candidate's pictures:
/// what SyncNet sees of a picture depends on where the face is in the six that follow. Embedding takes far
/// longer than decoding.
struct SyncNetMeasurer: MetricMeasurer {
    static let metrics: [Metric] = [.syncNetConfidence, .syncNetOffset, .syncNetDistance]
    static let version = 1

    private let network: LipSync

    init?(networks: [String: String]) throws {
        guard let path = networks[MeasureSettings.syncNetRole] else { return nil }
        network = try LipSync(path: path)
    }

    func values(of face: TrackedFace) throws -> MetricValues {
        guard let media = face.media, let samples = try media.sound(face.frames) else { return [:] }
        let crops = LipSync.faceCrops(face.track.boxes)
        let pictures = try media.pictures(face.frames)
        let score = try network.score(pictures, samples: samples) { picture, _, _ in
            crops[min(picture, crops.count - 1)]
        }
        guard let all = score?.all else { return [:] }
        return [
            .syncNetConfidence: all.confidence, .syncNetOffset: Double(all.offset),
            .syncNetDistance: all.distance,
        ]
    }
}

extension Metric {
    // Without limits of their own, because hardly anybody has the weights. LatentSync's are 3 at least, and -6 to 6.
    public static let syncNetConfidence = Metric(
        "syncnet_confidence", .mean, "The confidence of SyncNet (LSE-C).")
    public static let syncNetOffset = Metric(
        "syncnet_offset", unit: "frames", .mean,
        "The offset that SyncNet finds, positive where the sound leads.")
    public static let syncNetDistance = Metric(
        "syncnet_distance", .mean, "The distance of SyncNet (LSE-D).")
}

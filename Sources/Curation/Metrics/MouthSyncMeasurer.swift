import Dataset
import Perception

/// How well the sound fits the lips, as Loopy's own network sees it: of what was seen and heard anyway.
struct MouthSyncMeasurer: MetricMeasurer {
    static let metrics: [Metric] = [.syncConfidence, .syncOffset, .syncSeconds]
    static let version = 2

    private let network: MouthSync

    init?(networks: [String: String]) throws {
        guard let path = networks[MeasureSettings.mouthSyncRole] else { return nil }
        network = try MouthSync(path: path)
    }

    func values(of face: TrackedFace) throws -> MetricValues {
        guard let sound = face.sound else {
            return MetricValues(notes: [.syncConfidence: "there is no sound"])
        }
        let first = max(sound.start, face.frames.lowerBound - MouthSyncNetwork.reach)
        let end = min(
            sound.start + sound.isSpeech.count, face.frames.upperBound + MouthSyncNetwork.reach)
        guard first < end else {
            return MetricValues(notes: [.syncConfidence: "the sound ends before the face is seen"])
        }
        let heard = (first - sound.start)..<(end - sound.start)
        let result = try network.score(
            lips: face.track.lips, samples: sound.samples(of: heard),
            isSpeech: Array(sound.isSpeech[heard]), lead: face.frames.lowerBound - first)
        var values: MetricValues = [.syncSeconds: result.seconds]
        guard let score = result.score else {
            values.notes[.syncConfidence] = MouthSync.tooLittle(result.seconds)
            return values
        }
        values.metrics[.syncConfidence] = score.confidence
        values.metrics[.syncOffset] = score.offset
        values.syncCurve = score.curve
        return values
    }
}

extension Metric {
    // The limits were chosen on real clips.
    public static let syncConfidence = Metric(
        "sync_confidence", .anew, limits: Limits(minimum: 0.1),
        "The probability that the sound belongs to the lips and `sync_offset` is right within two frames "
            + "(Loopy's own network).")
    public static let syncOffset = Metric(
        "sync_offset", unit: "frames", .anew, limits: Limits(minimum: -8, maximum: 8),
        "The offset of the sound, positive where it leads (Loopy's own network); `crop` takes it out."
    )
    public static let syncSeconds = Metric(
        "sync_seconds", unit: "s", .sum,
        "The time of speech with visible lips, on which sync_confidence and sync_offset rest; below 1 s they "
            + "are not measured.")
}

import Dataset

/// Whether this face is the one that speaks, of those seen at the same time.
enum Speaker: MetricComparer {
    static let metrics: [Metric] = [.speaker]
    static let version = 2

    static func values(of index: Int, among faces: [SeenFace]) -> [Metric: Double?] {
        let (frames, own) = faces[index]
        guard let activity = activity(own) else { return [.speaker: nil] }
        // Faces that share less than half of this one's time say little about who speaks.
        let busiest = OtherFaces.comparable(to: index, among: faces)
            .filter { $0.common.count * 2 >= frames.count }
            .reduce(activity) { max($0, Self.activity($1.metrics) ?? 0) }
        return [.speaker: busiest > 0 ? activity / busiest : nil]
    }

    /// How much the mouth moves in speech, times the probability that it is this speech: somebody else may
    /// laugh or chew meanwhile.
    private static func activity(_ metrics: Metrics) -> Double? {
        metrics[.mouthInSpeech].map { $0 * (metrics[.syncConfidence] ?? 1) }
    }
}

extension Metric {
    /// The limit was chosen on real clips: of faces seen together, the one is taken whose mouth moves most in
    /// speech, and with it.
    public static let speaker = Metric(
        "speaker", .anew, limits: Limits(minimum: 1),
        "The value of mouth_in_speech, times sync_confidence where that is measured, over the highest of the "
            + "faces that are seen at the same time; 1 for the only or the most active one.")
}

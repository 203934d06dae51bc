import Dataset

/// Whether this face is the one that speaks, of those seen at the same time.
enum Speaker: MetricComparer {
    static let metrics: [Metric] = [.speaker]
    static let version = 1

    static func values(of index: Int, among faces: [SeenFace]) -> [Metric: Double?] {
        let (frames, own) = faces[index]
        guard let mouth = own[.mouthInSpeech] else { return [.speaker: nil] }
        // Faces that share less than half of this one's time say little about who speaks.
        let busiest = OtherFaces.comparable(to: index, among: faces)
            .filter { $0.common.count * 2 >= frames.count }
            .reduce(mouth) { max($0, $1.metrics[.mouthInSpeech] ?? 0) }
        return [.speaker: busiest > 0 ? mouth / busiest : nil]
    }
}

extension Metric {
    /// The limit was chosen on real clips: of faces seen together, the one whose mouth moves most in
    /// speech is taken.
    public static let speaker = Metric(
        "speaker", .comparison, limits: Limits(minimum: 1),
        "The value of mouth_in_speech over the highest of the faces that are seen at the same time; 1 for "
            + "the only or the most active one.")
}

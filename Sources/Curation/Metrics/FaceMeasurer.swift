/// How large the face is, and how surely it is one.
struct FaceMeasurer: MetricMeasurer {
    static let metrics: [Metric] = [.faceWidth, .faceHeight, .presence, .presenceMinimum]
    static let version = 1

    init(networks: [String: String]) {}

    func values(of face: TrackedFace) -> MetricValues {
        let track = face.track
        let presence = (0..<track.count).map { track[$0, .presence] }
        return [
            .faceWidth: face.seen.map { track[$0, .faceRight] - track[$0, .faceLeft] }.mean,
            .faceHeight: face.meanHeight,
            .presence: presence.mean,
            .presenceMinimum: presence.min(),
        ]
    }
}

extension TrackedFace {
    /// The mean height of the face, in pixels; nil where it is never seen.
    var meanHeight: Double? {
        seen.map { track[$0, .faceBottom] - track[$0, .faceTop] }.mean
    }
}

extension Metric {
    // The limits of the size are LatentSync's.
    public static let faceWidth = Metric(
        "face_width", unit: "pixels", .mean, limits: Limits(minimum: 50),
        "The mean width of the face (its 468 points).")
    public static let faceHeight = Metric(
        "face_height", unit: "pixels", .mean, limits: Limits(minimum: 80),
        "The mean height of the face (its 468 points).")
    public static let presence = Metric(
        "presence", .mean, limits: Limits(minimum: 0.9),
        "The mean probability that the landmarks are on a face.")
    public static let presenceMinimum = Metric(
        "presence_minimum", .least, "The least probability that the landmarks are on a face.")
}

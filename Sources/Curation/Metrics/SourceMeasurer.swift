/// What holds for the source's pictures, whatever they show.
struct SourceMeasurer: MetricMeasurer {
    static let metrics: [Metric] = [.duration, .frameRate, .resolution, .damaged]
    static let version = 1

    init(networks: [String: String]) {}

    func values(of face: TrackedFace) -> MetricValues {
        let track = face.track
        return [
            .duration: Double(track.count) / TrackRecorder.framesPerSecond,
            .frameRate: face.framesPerSecond,
            .resolution: Double(min(track.width, track.height)),
            .damaged: Double(track.damaged) / Double(max(1, track.count)),
        ]
    }
}

extension Metric {
    /// The limit is LatentSync's.
    public static let duration = Metric(
        "duration", unit: "s", .sum, limits: Limits(minimum: 3), "The duration of the candidate.")
    public static let frameRate = Metric(
        "frame_rate", unit: "pictures/s", .mean,
        "The rate of the source's pictures, before the 25 fps grid.")
    public static let resolution = Metric(
        "resolution", unit: "pixels", .mean, "The shorter side of the upright picture.")
    public static let damaged = Metric(
        "damaged", .mean, limits: Limits(maximum: 0.05),
        "The share of pictures that the decoder had to repair or guess.")
}

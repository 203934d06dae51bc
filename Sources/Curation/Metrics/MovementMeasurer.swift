import Media

/// How the head moves across the picture.
struct MovementMeasurer: MetricMeasurer {
    static let metrics: [Metric] = [.movement, .movementVariance, .movementMaximum]
    static let version = 1

    init(networks: [String: String]) {}

    func values(of face: TrackedFace) -> MetricValues {
        guard let faceHeight = face.meanHeight else { return [:] }
        let centres = (0..<face.track.count).map(face.track.centre)
        func speeds(over frames: Int) -> [Double] {
            zip(centres, centres.dropFirst(frames)).map {
                $0.distance(to: $1) / faceHeight * TrackRecorder.framesPerSecond / Double(frames)
            }
        }
        let usual = speeds(over: TrackRecorder.step)
        let mean = usual.mean
        return [
            .movement: mean,
            .movementVariance: mean.flatMap { mean in
                usual.map { ($0 - mean) * ($0 - mean) }.mean
            },
            .movementMaximum: speeds(over: Grid.framesPerSecond / 2).max(),
        ]
    }
}

extension Metric {
    // The limits were chosen on real clips: excessive movement only.
    public static let movement = Metric(
        "movement", unit: "face heights/s", .mean, limits: Limits(maximum: 1),
        "The mean speed of the head across the picture.")
    public static let movementVariance = Metric(
        "movement_variance", unit: "(face heights/s)²", .variance(of: "movement"),
        "The variance of the head's speed.")
    public static let movementMaximum = Metric(
        "movement_maximum", unit: "face heights/s", .greatest, limits: Limits(maximum: 4),
        "The highest speed of the head over half a second.")
}

/// How good the picture of the face is.
struct PictureMeasurer: MetricMeasurer {
    static let metrics: [Metric] = [.sharpness, .brightness]
    static let version = 1

    init(networks: [String: String]) {}

    func values(of face: TrackedFace) -> MetricValues {
        [
            .sharpness: face.seen.map { face.track[$0, .sharpness] }.mean,
            .brightness: face.seen.map { face.track[$0, .brightness] }.mean,
        ]
    }
}

extension Metric {
    // The limits were chosen on real clips.
    public static let sharpness = Metric(
        "sharpness", .mean, limits: Limits(minimum: 0.1),
        "The fine detail of the face: mean |Laplacian| of its brightness at 192 pixels, over the standard "
            + "deviation, so that dim and flat light do not pass for blur.")
    public static let brightness = Metric(
        "brightness", .mean, limits: Limits(minimum: 0.1, maximum: 0.95),
        "The mean brightness of the face, 0 to 1.")
}

import Perception

/// Whether the head is inside the picture.
struct FramingMeasurer: MetricMeasurer {
    static let metrics: [Metric] = [.completeness, .completenessMinimum, .margin]
    static let version = 1

    init(networks: [String: String]) {}

    func values(of face: TrackedFace) -> MetricValues {
        let track = face.track
        let picture = Box(
            left: 0, top: 0, right: Double(track.width), bottom: Double(track.height))
        let seen = face.seen
        let shares = seen.map { track.head(at: $0).share(inside: picture) }
        let margins = seen.map { frame in
            let head = track.head(at: frame)
            let edge = min(
                head.left, head.top, picture.right - head.right, picture.bottom - head.bottom)
            return edge / max(track[frame, .faceBottom] - track[frame, .faceTop], 1)
        }
        return [
            .completeness: shares.mean, .completenessMinimum: shares.min(), .margin: margins.min(),
        ]
    }
}

extension Box {
    /// The share of this box that lies in another; 0 of an empty box.
    func share(inside other: Box) -> Double {
        area > 0 ? intersection(other).area / area : 0
    }
}

extension Metric {
    /// The limit was chosen on real clips. `crop` keeps it too: see `CropPlanner`.
    public static let completeness = Metric(
        "completeness", .mean, limits: Limits(minimum: 0.8),
        "The mean share of the head (hair included, estimated) that is inside the picture.")
    public static let completenessMinimum = Metric(
        "completeness_minimum", .least, "The least share of the head that is inside the picture.")
    public static let margin = Metric(
        "margin", unit: "face heights", .least,
        "The least distance from the head to the picture's edge; negative outside.")
}

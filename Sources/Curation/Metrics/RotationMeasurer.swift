import Perception

/// How the head turns.
struct RotationMeasurer: MetricMeasurer {
    static let metrics: [Metric] = [
        .yawMinimum, .yawMaximum, .pitchMinimum, .pitchMaximum, .rollMinimum, .rollMaximum,
        .rotation, .rotationSpeed,
    ]
    static let version = 1
    /// Degrees.
    private static let limit = 30.0

    init(networks: [String: String]) {}

    func values(of face: TrackedFace) -> MetricValues {
        let track = face.track
        let poses = face.seen.map {
            HeadPose(yaw: track[$0, .yaw], pitch: track[$0, .pitch], roll: track[$0, .roll])
        }
        let beyond = poses.count { $0.greatestAngle > Self.limit }
        let changes = zip(poses, poses.dropFirst(TrackRecorder.step)).map { a, b in
            let (yaw, pitch, roll) = (b.yaw - a.yaw, b.pitch - a.pitch, b.roll - a.roll)
            return (yaw * yaw + pitch * pitch + roll * roll).squareRoot()
        }
        let stepsPerSecond = TrackRecorder.framesPerSecond / Double(TrackRecorder.step)
        return [
            .yawMinimum: poses.map(\.yaw).min(),
            .yawMaximum: poses.map(\.yaw).max(),
            .pitchMinimum: poses.map(\.pitch).min(),
            .pitchMaximum: poses.map(\.pitch).max(),
            .rollMinimum: poses.map(\.roll).min(),
            .rollMaximum: poses.map(\.roll).max(),
            .rotation: poses.isEmpty ? nil : Double(beyond) / Double(poses.count),
            .rotationSpeed: changes.mean.map { $0 * stepsPerSecond },
        ]
    }
}

extension Metric {
    public static let yawMinimum = Metric(
        "yaw_minimum", unit: "degrees", .least,
        "The least yaw, which is positive when the face turns to the picture's right.")
    public static let yawMaximum = Metric(
        "yaw_maximum", unit: "degrees", .greatest, "The greatest yaw.")
    public static let pitchMinimum = Metric(
        "pitch_minimum", unit: "degrees", .least,
        "The least pitch, which is positive when the face looks up.")
    public static let pitchMaximum = Metric(
        "pitch_maximum", unit: "degrees", .greatest, "The greatest pitch.")
    public static let rollMinimum = Metric(
        "roll_minimum", unit: "degrees", .least,
        "The least roll, which is positive when the head's top leans to the picture's right.")
    public static let rollMaximum = Metric(
        "roll_maximum", unit: "degrees", .greatest, "The greatest roll.")
    /// The limit is Hallo's 30 degrees, as a share of time: a good speaker glances aside.
    public static let rotation = Metric(
        "rotation", .mean, limits: Limits(maximum: 0.3),
        "The share of pictures in which yaw, pitch or roll is beyond 30 degrees.")
    public static let rotationSpeed = Metric(
        "rotation_speed", unit: "degrees/s", .mean, "The mean change of the head's pose.")
}

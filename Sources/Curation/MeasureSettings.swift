import Media
import Perception

/// Settings of `loopy-measure`. Networks are files, or "embedded" for those that come with Loopy.
public struct MeasureSettings: Codable, Sendable {
    /// Seconds of video in a work unit.
    public var unitSeconds = 60.0
    /// The detector tried first, and the one for small faces: BlazeFace's two forms.
    public var nearDetector = "embedded"
    public var farDetector = "embedded"
    /// FaceMesh.
    public var landmarks = "embedded"
    /// Silero VAD.
    public var voiceActivity = "embedded"
    public var limits = MediaLimits()

    public init() {}

    /// Files of the networks in use, by role.
    var networks: [String: String] {
        [
            "near_detector": EmbeddedNetwork.blazeFaceShortRange.path(or: nearDetector),
            "far_detector": EmbeddedNetwork.blazeFaceFullRange.path(or: farDetector),
            "landmarks": EmbeddedNetwork.faceMesh.path(or: landmarks),
            "voice_activity": EmbeddedNetwork.sileroVAD.path(or: voiceActivity),
        ]
    }
}

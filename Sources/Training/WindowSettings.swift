import Errors

/// Which windows are drawn from shards.
public struct WindowSettings: Codable, Sendable, Equatable {
    /// F: the number of frames of a window.
    public var frames = 12
    /// The number of frames before the window that are wanted; a clip's beginning has fewer.
    public var motionFrames = 124
    /// Whether speech, key points and variances are wanted. Without them shards need not hold them.
    public var needsConditions = true
    /// The number of windows that are drawn from each clip in an epoch.
    public var windowsPerClip = 4
    /// The number of windows among which the next one is drawn.
    public var shuffle = 256
    public var seed = 0

    /// The number of frames over which the column `motion` holds variances.
    static let motionWindow = 12

    public init() {}

    /// Single frames and nothing besides, for the first stage of training.
    public static var singleFrames: WindowSettings {
        var settings = WindowSettings()
        settings.frames = 1
        settings.motionFrames = 0
        settings.needsConditions = false
        return settings
    }

    /// - Throws: `LoopyError` `.configuration` that names the setting.
    public func validate() throws(LoopyError) {
        let counts = [
            ("frames", frames), ("windows_per_clip", windowsPerClip), ("shuffle", shuffle),
        ]
        for (name, value) in counts where value < 1 {
            throw LoopyError(.configuration, "data.\(name): must be 1 or more, not \(value)")
        }
        guard motionFrames >= 0 else {
            throw LoopyError(
                .configuration, "data.motion_frames: must be 0 or more, not \(motionFrames)")
        }
        guard !needsConditions || frames == Self.motionWindow else {
            throw LoopyError(
                .configuration,
                "data.frames: must be \(Self.motionWindow), not \(frames): the column motion holds "
                    + "variances over \(Self.motionWindow) frames")
        }
    }
}

import Errors

/// Which windows are drawn from shards.
public struct WindowSettings: Codable, Sendable, Equatable {
    /// F: the number of frames of a window.
    public var frames = 12
    /// The number of frames before the window that are wanted; a clip's beginning has fewer.
    public var motionFrames = 124
    /// Whether speech, key points and variances are wanted. Without them shards need not hold them.
    public var needsConditions = true
    /// Whether key points are wanted where conditions are not.
    public var needsLandmarks = false
    /// The number of windows that are drawn from each clip in an epoch.
    public var windowsPerClip = 4
    /// The number of windows among which the next one is drawn.
    public var shuffle = 256
    public var seed = 0

    public init() {}

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        frames = try values.decode(Int.self, forKey: .frames)
        motionFrames = try values.decode(Int.self, forKey: .motionFrames)
        needsConditions = try values.decode(Bool.self, forKey: .needsConditions)
        // Earlier checkpoints do not say it.
        needsLandmarks = try values.decodeIfPresent(Bool.self, forKey: .needsLandmarks) ?? false
        windowsPerClip = try values.decode(Int.self, forKey: .windowsPerClip)
        shuffle = try values.decode(Int.self, forKey: .shuffle)
        seed = try values.decode(Int.self, forKey: .seed)
    }

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
    }
}

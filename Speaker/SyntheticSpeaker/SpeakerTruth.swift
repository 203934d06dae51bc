/// What is true of one head in one frame: a line of the file beside a video.
public struct SpeakerTruth: Codable, Sendable, Equatable {
    /// The frame's number, from 0.
    public let frame: Int
    public let head: Head
    /// Whether this head is speaking in this picture; whoever listens to a video with shifted sound hears it
    /// `soundShift` frames later.
    public let speaks: Bool
    /// The distance between the inner lips in the middle of the mouth, in eye distances.
    public let opening: Double
    /// The distance between the mouth's corners, over the portrait's.
    public let width: Double
    /// 0 with open eyes, 1 with closed ones.
    public let blink: Double
    /// Degrees by which the head is turned from where the portrait's is: positive to the picture's right, up,
    /// and with the top to the picture's right, as in `HeadPose`.
    public let yaw: Double, pitch: Double, roll: Double
    /// The point between the eyes, in pixels of the video.
    public let x: Double, y: Double
    /// How much larger the head is than the portrait's.
    public let scale: Double
    /// The unit of `opening`: 0.42 of the height of the portrait's face, in pixels of the video.
    public let eyeDistance: Double
    /// The number of frames by which the sound is late. SyncNet's offset, and `sync_offset` of curation, are
    /// its negative: they are positive where the sound leads.
    public let soundShift: Int

    public enum Head: String, Codable, Sendable {
        case speaker, bystander
    }

    enum CodingKeys: String, CodingKey {
        case frame, head, speaks, opening, width, blink, yaw, pitch, roll, x, y, scale
        case eyeDistance = "eye_distance"
        case soundShift = "sound_shift"
    }
}

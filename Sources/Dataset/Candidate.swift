import Media

/// A line of a measurement unit: one candidate, or a stretch of a source in which there is none.
///
/// Times are on the 25 fps grid, in frames from the source's first picture.
public struct Candidate: Codable, Sendable, Equatable {
    public enum Outcome: String, Codable, Sendable {
        case candidate
        /// No face was found in this stretch.
        case noFace = "no-face"
        /// The stretch could not be decoded, or the worker crashed or hung on it.
        case undecodable
    }

    public var outcome: Outcome
    /// The digest of the source.
    public var source: String
    public var start: Int
    public var end: Int
    /// The number of the face within its work unit's stretch; with source and start it names the
    /// candidate.
    public var face: Int
    /// True when the face was being followed at the stretch's border: the candidate may go on in
    /// the unit before, or after.
    public var opensAtBorder = false
    public var closesAtBorder = false
    /// The face in the first and in the last frame: `[left, top, right, bottom]`, in pixels of the
    /// upright source.
    public var firstBox: [Double] = []
    public var lastBox: [Double] = []
    /// The size of the upright picture, which may change within a source; nil where there is no face.
    public var width: Int?
    public var height: Int?
    public var metrics = Metrics()
    /// Why metrics are null, by their names, where that is not plain.
    public var notes: [String: String]?
    /// How likely each offset of the sound is, from -15 to 15 frames: logarithms of its probability over that
    /// of "unrelated". Nil where lip-sync was not measured by Loopy's own network.
    public var syncCurve: [Double]?
    public var error: String?

    public init(outcome: Outcome, source: String, start: Int, end: Int, face: Int = 0) {
        self.outcome = outcome
        self.source = source
        self.start = start
        self.end = end
        self.face = face
    }

    public var frames: Range<Int> { start..<end }

    /// The name of the candidate's members in the unit's tracks archive.
    public var name: String { "\(source.prefix(16))-\(start)-\(face)" }

    enum CodingKeys: String, CodingKey {
        case outcome, source, start, end, face, width, height, metrics, notes, error
        case syncCurve = "sync_curve"
        case opensAtBorder = "opens_at_border"
        case closesAtBorder = "closes_at_border"
        case firstBox = "first_box"
        case lastBox = "last_box"
    }
}

/// Per-frame values of a candidate: columns of its `.track.npy`, float32 `[T, count]`.
/// Boxes are in pixels of the upright source.
public enum TrackColumn: Int, CaseIterable, Sendable {
    case faceLeft, faceTop, faceRight, faceBottom
    /// The whole head, hair included, estimated from the face.
    case headLeft, headTop, headRight, headBottom
    /// Degrees.
    case yaw, pitch, roll
    /// Probability that the landmarks are on a face.
    case presence
    /// Distance between the inner lips over the distance between the eyes.
    case mouthOpening
    case sharpness, brightness
    /// 1 where the source shows the picture before once more, else 0.
    case isRepeat
}

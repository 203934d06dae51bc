import Dataset
import Media
import Perception

/// Records what is seen of one face, picture by picture, while its stretch is decoded.
package struct TrackRecorder {
    let face: Int
    let start: Int
    /// `[T, TrackColumn.count]`
    package private(set) var rows: [Float] = []
    /// `[T, 68, 3]`: x and y in pixels of the upright source, confidence.
    package private(set) var points: [Float] = []
    /// `[T]`: the shape of the lips, nil where a picture does not show it, or repeats the one before.
    package private(set) var lips: [LipShape?] = []
    /// The hashes of the frames that are multiples of `Footage.hashStep`; nil where the face is not seen.
    private(set) var hashes: [FaceHash?] = []
    /// Who the face is, in pictures that show it well (`FaceRecognition`).
    var embeddings: [[Float]] = []
    /// Size of the upright picture.
    let width: Int
    let height: Int
    /// The pictures that the decoder had to guess.
    private(set) var damaged = 0
    /// The frames since the face was last seen.
    private var unseen = 0

    static let framesPerSecond = Double(Grid.framesPerSecond)
    /// The frames over which displacements are taken, a fifth of a second: over one picture they are
    /// mostly noise.
    static let step = 5

    package var count: Int { rows.count / TrackColumn.allCases.count }
    var end: Int { start + count }

    package init(face: Int, start: Int, frame: VideoFrame) {
        self.face = face
        self.start = start
        width = frame.width
        height = frame.height
    }

    package mutating func append(_ observation: FaceObservation, frame: GridFrame) {
        let landmarks = observation.landmarks
        let head = landmarks.head
        var row = [Float](repeating: 0, count: TrackColumn.allCases.count)
        func set(_ column: TrackColumn, _ value: Double) { row[column.rawValue] = Float(value) }
        set(.faceLeft, landmarks.box.left)
        set(.faceTop, landmarks.box.top)
        set(.faceRight, landmarks.box.right)
        set(.faceBottom, landmarks.box.bottom)
        set(.headLeft, head.left)
        set(.headTop, head.top)
        set(.headRight, head.right)
        set(.headBottom, head.bottom)
        set(.yaw, landmarks.pose.yaw)
        set(.pitch, landmarks.pose.pitch)
        set(.roll, landmarks.pose.roll)
        set(.presence, observation.isCoasting ? 0 : landmarks.presence)
        set(.mouthOpening, landmarks.mouthOpening)
        set(.sharpness, landmarks.sharpness)
        set(.brightness, landmarks.brightness)
        set(.isRepeat, frame.isRepeat ? 1 : 0)
        rows += row
        points += Self.pointRow(
            landmarks.points, observation.isCoasting ? nil : landmarks.confidences)
        lips.append(observation.isCoasting ? nil : landmarks.lips)
        if (end - 1).isMultiple(of: Footage.hashStep) {
            hashes.append(
                observation.isCoasting ? nil : FaceHash(landmarks.box, in: frame.frame))
        }
        if frame.frame.isDamaged { damaged += 1 }
        unseen = observation.isCoasting ? unseen + 1 : 0
    }

    /// The last row once more, for a picture that shows the one before.
    package mutating func appendRepeat() {
        let width = TrackColumn.allCases.count
        var row = Array(rows.suffix(width))
        row[TrackColumn.isRepeat.rawValue] = 1
        rows += row
        points += Array(points.suffix(Self.pointValues))
        lips.append(nil)
        if (end - 1).isMultiple(of: Footage.hashStep) { hashes.append(hashes.last ?? nil) }
        if unseen > 0 { unseen += 1 }
    }

    /// Puts the points of another network, and what is measured of them, in the place of a frame's.
    ///
    /// - Parameter confidences: nil where the network did not see the face: 0.
    mutating func replacePoints(
        at frame: Int, by new: [Point], confidences: [Float]?
    ) {
        let start = frame * Self.pointValues
        points.replaceSubrange(
            start..<(start + Self.pointValues), with: Self.pointRow(new, confidences))
        rows[frame * TrackColumn.allCases.count + TrackColumn.mouthOpening.rawValue] = Float(
            FaceLandmarks.mouthOpening(
                new,
                faceHeight: self[frame, .faceBottom] - self[frame, .faceTop]))
    }

    private static let pointValues = IBUG68.count * 3

    private static func pointRow(_ points: [Point], _ confidences: [Float]?) -> [Float] {
        points.indices.flatMap {
            [Float(points[$0].x), Float(points[$0].y), confidences?[$0] ?? 0]
        }
    }

    /// The 68 points of a frame.
    func points(at frame: Int) -> [Point] {
        stride(from: frame * Self.pointValues, to: (frame + 1) * Self.pointValues, by: 3).map {
            Point(Double(points[$0]), Double(points[$0 + 1]))
        }
    }

    /// Takes the frames at the end away in which the face was not seen.
    package mutating func trim() { dropLast(unseen) }

    package mutating func dropLast(_ frames: Int) {
        guard frames > 0 else { return }
        rows.removeLast(min(rows.count, frames * TrackColumn.allCases.count))
        points.removeLast(min(points.count, frames * Self.pointValues))
        lips.removeLast(min(lips.count, frames))
        hashes.removeLast(hashes.count - Footage.hashes(of: start..<end).count)
        unseen = max(0, unseen - frames)
    }

    /// The face's box in every picture.
    var boxes: [Box] {
        (0..<count).map { frame in
            Box(
                left: self[frame, .faceLeft], top: self[frame, .faceTop],
                right: self[frame, .faceRight], bottom: self[frame, .faceBottom])
        }
    }

    /// The head's box in one picture.
    func head(at frame: Int) -> Box {
        Box(
            left: self[frame, .headLeft], top: self[frame, .headTop],
            right: self[frame, .headRight], bottom: self[frame, .headBottom])
    }

    /// The face in one picture: `[left, top, right, bottom]`, as candidates record it.
    func box(at frame: Int) -> [Double] {
        let start = frame * TrackColumn.allCases.count
        return rows[start..<(start + 4)].map { (Double($0) * 100).rounded() / 100 }
    }

    subscript(frame: Int, column: TrackColumn) -> Double {
        Double(rows[frame * TrackColumn.allCases.count + column.rawValue])
    }

    /// The middle of eyes and nose: it does not move with the mouth.
    func centre(at frame: Int) -> Point {
        let range = 27..<48
        var sum = Point(0, 0)
        for index in range {
            let offset = (frame * IBUG68.count + index) * 3
            sum.x += Double(points[offset])
            sum.y += Double(points[offset + 1])
        }
        return Point(sum.x / Double(range.count), sum.y / Double(range.count))
    }
}

import Media

/// A face as it was followed, picture by picture, through one shot.
public struct FollowedFace: Sendable {
    /// The face in one picture of the 25 fps grid.
    public struct Moment: Sendable {
        public let box: Box
        public let head: Box
        /// The 68 points of the iBUG layout, in pixels of the upright picture.
        public let points: [Point]
        /// The probability that the points are on a face, 0...1.
        public let presence: Double
        /// Whether it is seen; where it is out of sight for a moment, the values are the last ones seen.
        public let isSeen: Bool
        /// The shape of the lips, where this picture shows it and does not repeat the one before.
        public let lips: LipShape?

        /// The same face in a picture that shows the one before once more.
        fileprivate var repeated: Moment {
            Moment(
                box: box, head: head, points: points, presence: presence, isSeen: isSeen, lips: nil)
        }
    }

    /// The index of the first picture on the 25 fps grid.
    public let start: Int
    public fileprivate(set) var moments: [Moment] = []

    public var boxes: [Box] { moments.map(\.box) }
    public var lips: [LipShape?] { moments.map(\.lips) }

    fileprivate var area: Double { moments.reduce(0) { $0 + $1.box.area } }

    /// The face in a picture of the grid, where it is seen there.
    fileprivate func moment(at picture: Int) -> Moment? {
        let index = picture - start
        return moments.indices.contains(index) && moments[index].isSeen ? moments[index] : nil
    }
}

/// All faces of a video, each followed through one shot.
public struct VideoFaces: Sendable {
    /// The faces stand in the order in which they appear.
    fileprivate var faces: [FollowedFace] = []
    /// The number of pictures on the 25 fps grid.
    fileprivate var pictures = 0

    /// The face that fills most of the video: the greatest sum of its boxes' areas in one shot; nil
    /// where no face is seen.
    public var longest: FollowedFace? {
        // The first of equals is taken: the same file gives the same answer.
        faces.max { $0.area < $1.area }
    }

    /// The main face of every picture, nil where none is seen: the longest, and where that is out of
    /// sight the largest.
    public var main: [FollowedFace.Moment?] {
        let longest = longest
        return (0..<pictures).map { picture in
            longest?.moment(at: picture)
                ?? faces.compactMap { $0.moment(at: picture) }
                .max { $0.box.area < $1.box.area }
        }
    }
}

/// Finds the face that a video is of. Belongs to one thread at a time.
public final class FaceFollower {
    private let tracker: FaceTracker

    /// - Throws: `LoopyError` when an embedded network is missing.
    public init() throws {
        tracker = FaceTracker(
            near: try BlazeFace(.short), far: try BlazeFace(.full), network: try FaceMesh())
    }

    /// The face that fills most of the video (`VideoFaces.longest`).
    ///
    /// - Returns: nil where no face is seen.
    public func longestFace(in reader: sending VideoReader) throws -> FollowedFace? {
        try faces(in: reader).longest
    }

    /// All faces of a video.
    public func faces(in reader: sending VideoReader) throws -> VideoFaces {
        let pictures = FramePrefetcher(reader)
        defer { pictures.cancel() }
        var shots = ShotDetector()
        var faces: [Int: FollowedFace] = [:]
        var count = 0
        tracker.startVideo()
        while let picture = try pictures.next() {
            count = picture.index + 1
            if picture.isRepeat {
                for face in faces.keys {
                    guard let last = faces[face],
                        last.start + last.moments.count == picture.index,
                        let moment = last.moments.last
                    else { continue }
                    faces[face]?.moments.append(moment.repeated)
                }
                continue
            }
            if shots.isCut(picture.frame) { tracker.startShot() }
            for seen in try tracker.update(picture.frame) {
                let landmarks = seen.landmarks
                faces[seen.face, default: FollowedFace(start: picture.index)].moments.append(
                    FollowedFace.Moment(
                        box: landmarks.box, head: landmarks.head, points: landmarks.points,
                        presence: landmarks.presence, isSeen: !seen.isCoasting,
                        lips: seen.isCoasting ? nil : landmarks.lips))
            }
        }
        return VideoFaces(faces: faces.sorted { $0.key < $1.key }.map(\.value), pictures: count)
    }
}

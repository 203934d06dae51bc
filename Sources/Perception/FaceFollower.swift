import Media

/// A face as it was followed, picture by picture, through one shot.
public struct FollowedFace: Sendable {
    /// The face in one picture of the 25 fps grid.
    public struct Moment: Sendable {
        public let box: Box
        public let head: Box
        /// The 68 points of the iBUG layout, in pixels of the upright picture.
        public let points: [Point]
        /// Whether it is seen; where it is out of sight for a moment, the values are the last ones seen.
        public let isSeen: Bool
    }

    /// The index of the first picture on the 25 fps grid.
    public let start: Int
    public fileprivate(set) var moments: [Moment] = []

    public var boxes: [Box] { moments.map(\.box) }

    fileprivate var area: Double { moments.reduce(0) { $0 + $1.box.area } }
}

/// Finds the face that a video is of. Belongs to one thread at a time.
public final class FaceFollower {
    private let tracker: FaceTracker

    /// - Throws: `LoopyError` when an embedded network is missing.
    public init() throws {
        tracker = FaceTracker(
            near: try BlazeFace(.short), far: try BlazeFace(.full), network: try FaceMesh())
    }

    /// The face that fills most of the video: the greatest sum of its boxes' areas in one shot.
    ///
    /// - Returns: nil where no face is seen.
    public func longestFace(in reader: sending VideoReader) throws -> FollowedFace? {
        let pictures = FramePrefetcher(reader)
        defer { pictures.cancel() }
        var shots = ShotDetector()
        var faces: [Int: FollowedFace] = [:]
        tracker.startVideo()
        while let picture = try pictures.next() {
            if picture.isRepeat {
                for face in faces.keys {
                    guard let last = faces[face],
                        last.start + last.moments.count == picture.index,
                        let moment = last.moments.last
                    else { continue }
                    faces[face]?.moments.append(moment)
                }
                continue
            }
            if shots.isCut(picture.frame) { tracker.startShot() }
            for seen in try tracker.update(picture.frame) {
                let landmarks = seen.landmarks
                faces[seen.face, default: FollowedFace(start: picture.index)].moments.append(
                    FollowedFace.Moment(
                        box: landmarks.box, head: landmarks.head, points: landmarks.points,
                        isSeen: !seen.isCoasting))
            }
        }
        // Of equals the first: the same file gives the same answer.
        return faces.sorted { $0.key < $1.key }.max { $0.value.area < $1.value.area }?.value
    }
}

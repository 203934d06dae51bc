import Media
import Perception

/// Puts the points that DWPose finds into tracks that FaceMesh made.
package enum PointReplacement {
    /// How much the points of the two must cover the same place to be of one face.
    private static let minimumOverlap = 0.3

    /// A face that DWPose does not see in a picture keeps the points that it had in the one before,
    /// with confidence 0; at the start of a track those of FaceMesh.
    ///
    /// - Parameters:
    ///   - pictures: of the frames that the tracks cover.
    ///   - find: finds the faces of some pictures.
    package static func replace(
        in tracks: inout [TrackRecorder], _ pictures: FramePrefetcher,
        _ find: ([VideoFrame]) throws -> [[PoseFace]]
    ) throws {
        var waiting: [GridFrame] = []
        var last: [PoseFace]?
        func look() throws {
            // A picture that shows the one before has its faces too.
            let isFresh = waiting.enumerated().map { place, picture in
                !picture.isRepeat || (place == 0 && last == nil)
            }
            let fresh = zip(waiting, isFresh).filter(\.1).map(\.0.frame)
            var found = try find(fresh)[...]
            for (picture, isFresh) in zip(waiting, isFresh) {
                let faces = isFresh ? found.removeFirst() : last ?? []
                for index in tracks.indices {
                    replace(in: &tracks[index], at: picture.index, faces)
                }
                last = faces
            }
            waiting = []
        }
        while let picture = try pictures.next() {
            waiting.append(picture)
            if waiting.count == DWPose.batch { try look() }
        }
        if !waiting.isEmpty { try look() }
    }

    private static func replace(
        in track: inout TrackRecorder, at picture: Int, _ faces: [PoseFace]
    ) {
        let frame = picture - track.start
        guard frame >= 0, frame < track.count else { return }
        let expected = Box(around: track.points(at: frame))
        let nearest = faces.max { $0.box.overlap(expected) < $1.box.overlap(expected) }
        let isSeen = track[frame, .presence] > 0
        if isSeen, let nearest, nearest.box.overlap(expected) >= minimumOverlap {
            track.replacePoints(at: frame, by: nearest.points, confidences: nearest.confidences)
        } else {
            track.replacePoints(
                at: frame, by: track.points(at: max(0, frame - 1)), confidences: nil)
        }
    }
}

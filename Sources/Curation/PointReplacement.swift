import Media
import Perception

/// Puts the points that another network finds into tracks that FaceMesh made.
package enum PointReplacement {
    /// The least overlap of the boxes around two networks' points of one face.
    private static let minimumOverlap = 0.3

    /// A face that the network does not see in a picture keeps the points that it had in the one
    /// before, with confidence 0; at the start of a track those of FaceMesh.
    ///
    /// - Parameter pictures: the pictures of the frames that the tracks cover.
    package static func replace(
        in tracks: inout [TrackRecorder], _ pictures: FramePrefetcher,
        by network: any WholePictureNetwork
    ) throws {
        var waiting: [GridFrame] = []
        var last: [FacePoints]?
        func look() throws {
            // A picture that shows the one before has its faces too.
            let isFresh = waiting.enumerated().map { index, picture in
                !picture.isRepeat || (index == 0 && last == nil)
            }
            let fresh = zip(waiting, isFresh).filter(\.1).map(\.0.frame)
            var found = try network.faces(in: fresh)[...]
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
            if waiting.count == network.batch { try look() }
        }
        if !waiting.isEmpty { try look() }
    }

    private static func replace(
        in track: inout TrackRecorder, at picture: Int, _ faces: [FacePoints]
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

import Media

/// One face in one picture.
public struct FaceObservation: Sendable {
    /// The face's number, the same from picture to picture.
    public let face: Int
    public let landmarks: FaceLandmarks
    /// Whether the network did not see the face here: the landmarks are the last ones seen.
    public let isCoasting: Bool

    package init(face: Int, landmarks: FaceLandmarks, isCoasting: Bool) {
        self.face = face
        self.landmarks = landmarks
        self.isCoasting = isCoasting
    }
}

/// Follows faces from picture to picture by their landmarks, and looks for new ones now and then.
///
/// Landmarks of the last picture say where to look in the next, which is exact and cheap; a detector
/// runs only where faces may have appeared: on the first picture of a shot, when a face is lost, and
/// every few pictures.
public final class FaceTracker {
    private struct Track {
        let face: Int
        var landmarks: FaceLandmarks
        var framesLost = 0
        /// The distance from where it was in the picture before, in pixels.
        var motion = 0.0
    }

    private let near: any FaceDetector
    private let far: any FaceDetector
    private let network: any LandmarkNetwork
    private var tracks: [Track] = []
    private var nextFace = 0
    private var sinceDetection = Int.max
    private var sinceFarDetection = Int.max

    private static let minimumPresence = 0.5
    /// The pictures between looks for further faces; the far detector costs twice the near one.
    private static let detectionInterval = 10
    private static let farDetectionInterval = 30
    /// The pictures between looks while there is no face at all.
    private static let searchInterval = 5
    /// The pictures for which a face may be out of sight (a hand before it) and stay the same face.
    private static let patience = 12
    /// A face does not move further than this many face heights from one picture to the next.
    private static let maximumJump = 0.3

    /// - Parameters:
    ///   - near: the detector that is tried first.
    ///   - far: the detector that is tried where `near` finds nothing, and for small faces beside large
    ///     ones.
    ///   - network: the network that finds landmarks where a face is expected.
    public init(
        near: any FaceDetector, far: any FaceDetector, network: any LandmarkNetwork
    ) {
        self.near = near
        self.far = far
        self.network = network
    }

    /// Begins a new video: faces are numbered from 0 again.
    public func startVideo() {
        startShot()
        nextFace = 0
    }

    /// Begins a new shot: no face of the last one goes on.
    public func startShot() {
        tracks.removeAll()
        sinceDetection = .max
        sinceFarDetection = .max
    }

    /// The faces of the next picture.
    public func update(_ frame: VideoFrame) throws -> [FaceObservation] {
        try follow(frame)
        let isLost = tracks.contains { $0.framesLost > 0 }
        let interval = tracks.isEmpty ? Self.searchInterval : Self.detectionInterval
        if isLost || sinceDetection >= interval - 1 {
            try look(frame)
        } else {
            sinceDetection += 1
            sinceFarDetection += 1
        }
        tracks.removeAll { $0.framesLost > Self.patience }
        return tracks.map {
            FaceObservation(
                face: $0.face, landmarks: $0.landmarks, isCoasting: $0.framesLost > 0)
        }
    }

    private func follow(_ frame: VideoFrame) throws {
        for index in tracks.indices {
            let old = tracks[index].landmarks
            if tracks[index].framesLost > 0 {
                tracks[index].framesLost += 1
                continue
            }
            let new = try network.landmarks(in: frame, region: old.region)
            guard isPlausible(new, in: frame) else {
                tracks[index].framesLost = 1
                continue
            }
            if jumped(from: old, to: new) {
                // A cut that the picture as a whole did not show.
                tracks[index] = Track(face: nextFace, landmarks: new)
                nextFace += 1
            } else {
                tracks[index].landmarks = new
            }
            tracks[index].motion = old.box.centre.distance(to: new.box.centre)
        }
        // Two tracks that have come to lie on one face: it is whose it was, the one that moved less.
        let followed = tracks.filter { $0.framesLost == 0 }
        tracks.removeAll { track in
            track.framesLost == 0
                && followed.contains { other in
                    other.landmarks.box.overlap(track.landmarks.box) > 0.5
                        && (other.motion, other.face) < (track.motion, track.face)
                }
        }
    }

    private func look(_ frame: VideoFrame) throws {
        var detections = try near.detect(in: frame)
        sinceDetection = 0
        if detections.isEmpty && tracks.allSatisfy({ $0.framesLost > 0 })
            || sinceFarDetection >= Self.farDetectionInterval - 1
        {
            detections += try far.detect(in: frame)
            sinceFarDetection = 0
        } else {
            sinceFarDetection += 1
        }
        for detection in detections {
            let isKnown = tracks.contains {
                $0.framesLost == 0 && $0.landmarks.box.overlap(detection.box) > 0.2
            }
            if isKnown { continue }
            // The detector's box is rough: a second look, where the first one found the face.
            let rough = try network.landmarks(in: frame, region: network.region(for: detection))
            guard isPlausible(rough, in: frame) else { continue }
            let landmarks = try network.landmarks(in: frame, region: rough.region)
            guard isPlausible(landmarks, in: frame) else { continue }
            adopt(landmarks)
        }
    }

    /// Gives landmarks to the lost track that they continue, or to a new one.
    private func adopt(_ landmarks: FaceLandmarks) {
        let overlaps = tracks.map { $0.landmarks.box.overlap(landmarks.box) }
        if let index = tracks.indices.first(where: { overlaps[$0] > 0.3 }) {
            guard tracks[index].framesLost > 0 else { return }
            tracks[index].landmarks = landmarks
            tracks[index].framesLost = 0
        } else {
            tracks.append(Track(face: nextFace, landmarks: landmarks))
            nextFace += 1
        }
    }

    private func isPlausible(_ landmarks: FaceLandmarks, in frame: VideoFrame) -> Bool {
        let centre = landmarks.box.centre
        return landmarks.presence >= Self.minimumPresence
            && centre.x > 0 && centre.x < Double(frame.width)
            && centre.y > 0 && centre.y < Double(frame.height)
            && landmarks.box.height >= 8
    }

    private func jumped(from old: FaceLandmarks, to new: FaceLandmarks) -> Bool {
        let height = max(old.box.height, new.box.height)
        let ratio = max(old.box.height, 1) / max(new.box.height, 1)
        return old.box.centre.distance(to: new.box.centre) > Self.maximumJump * height
            || ratio > 1.5 || ratio < 1 / 1.5
    }
}

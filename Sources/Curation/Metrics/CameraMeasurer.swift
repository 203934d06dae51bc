import Media
import Perception

/// How the camera moves, from what is seen behind the largest face.
final class CameraMeasurer: PictureWatcher {
    static let metrics: [Metric] = [.cameraMotion]
    static let version = 1
    /// The frames from one comparison to the next.
    private static let interval = 2 * Grid.framesPerSecond

    /// How far what stands still behind a face moved across the picture, at the face, in a fifth of a second.
    private struct Step {
        var frame: Int
        var face: Int
        /// Pixels.
        var distance: Double
    }

    private var camera: CameraMotion?
    private var steps: [Step] = []

    init(networks: [String: String]) {}

    func start(after last: VideoFrame?) { (camera, steps) = (nil, []) }

    func see(_ seen: SeenPicture) {
        if seen.startsShot { camera = nil }
        let index = seen.picture.index % Self.interval
        guard index == 0 || (index == TrackRecorder.step && camera != nil) else { return }
        func height(_ face: FaceObservation) -> Double { face.landmarks.box.height }
        guard let person = seen.faces.max(by: { height($0) < height($1) }) else {
            camera = nil
            return
        }
        var motion = index > 0 ? camera ?? CameraMotion() : CameraMotion()
        let step = motion.step(to: seen.picture.frame, head: person.landmarks.head)
        camera = index == 0 ? motion : nil
        guard index > 0, let step else { return }
        for face in seen.faces where !face.isCoasting {
            let centre = face.landmarks.box.centre
            steps.append(
                Step(
                    frame: seen.picture.index, face: face.face,
                    distance: centre.distance(to: step(centre))))
        }
    }

    func values(of face: TrackedFace) -> MetricValues {
        guard let height = face.meanHeight else { return [:] }
        let seconds = Double(TrackRecorder.step) / TrackRecorder.framesPerSecond
        let speeds = steps.filter {
            $0.face == face.track.face && face.frames.contains($0.frame)
        }.map { $0.distance / seconds / height }
        return [.cameraMotion: speeds.mean]
    }
}

extension Metric {
    public static let cameraMotion = Metric(
        "camera_motion", unit: "face heights/s", .mean,
        "The mean speed of the camera, from what is behind the face; null where that is too plain or too "
            + "little to tell.")
}

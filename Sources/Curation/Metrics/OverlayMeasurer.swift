import Media
import Perception

/// What was written over the pictures.
final class OverlayMeasurer: PictureWatcher {
    static let metrics: [Metric] = [.overlay, .overlayOnFace]
    static let version = 1
    /// The frames from one look to the next, about half a second: what is written stays longer.
    private static let step = 12

    private var overlay = Overlay()
    private var shares: [(frame: Int, ofPicture: Double)] = []
    private var onFaces: [(frame: Int, face: Int, share: Double)] = []

    init(networks: [String: String]) {}

    func start(after last: VideoFrame?) {
        overlay = Overlay()
        (shares, onFaces) = ([], [])
    }

    func see(_ seen: SeenPicture) {
        guard seen.isLook(every: Self.step), let writing = overlay.look(at: seen.picture.frame)
        else { return }
        let frame = seen.picture.index
        shares.append((frame, writing.share()))
        for face in seen.faces where !face.isCoasting {
            onFaces.append((frame, face.face, writing.share(of: face.landmarks.box)))
        }
    }

    func values(of face: TrackedFace) -> MetricValues {
        let frames = face.frames
        let own = onFaces.filter { $0.face == face.track.face && frames.contains($0.frame) }
        return [
            .overlay: shares.filter { frames.contains($0.frame) }.map(\.ofPicture).mean,
            .overlayOnFace: own.map(\.share).mean,
        ]
    }
}

extension Metric {
    public static let overlay = Metric(
        "overlay", .mean,
        "The mean share of the picture that letters take which stay: subtitles, names, logos. A line of "
            + "subtitles takes 0.01 to 0.04.")
    public static let overlayOnFace = Metric(
        "overlay_on_face", .mean, "The mean share of the face's box that such letters take.")
}

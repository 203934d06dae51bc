import Media
import Perception

/// Whether the mouth is hidden by something that has not the colour of skin.
final class MouthColourMeasurer: PictureWatcher {
    static let metrics: [Metric] = [.mouthColour]
    static let version = 1
    /// The frames from one look to the next.
    private static let step = 12

    private var ratios: [(frame: Int, face: Int, value: Double)] = []

    init(networks: [String: String]) {}

    func start(after last: VideoFrame?) { ratios = [] }

    func see(_ seen: SeenPicture) {
        guard seen.isLook(every: Self.step) else { return }
        for face in seen.faces where !face.isCoasting {
            guard let value = MouthColour.ratio(face.landmarks, in: seen.picture.frame) else {
                continue
            }
            ratios.append((seen.picture.index, face.face, value))
        }
    }

    func values(of face: TrackedFace) -> MetricValues {
        let own = ratios.filter {
            $0.face == face.track.face && face.frames.contains($0.frame)
        }
        return [.mouthColour: own.map(\.value).mean]
    }
}

extension Metric {
    public static let mouthColour = Metric(
        "mouth_colour", .mean,
        "The redness of the mouth over that of the cheeks: about 1, and below 0.4 where a microphone or a "
            + "mask hides it. A hand is not told from a mouth; null without colours, or in profile."
    )
}

import Media
import Perception

/// What coding and copying did to the pictures: some are there twice, and blocks show.
final class CodingMeasurer: PictureWatcher {
    static let metrics: [Metric] = [.frozen, .blockiness]
    static let version = 1
    /// The frames from one picture whose blocks are looked for to the next.
    private static let step = Grid.framesPerSecond

    private var frozenPictures = FrozenPictures()
    /// Frames and whether each is frozen; a repeat of the source is what the picture was that it repeats.
    private var frozen: [(frame: Int, isFrozen: Bool)] = []
    private var blockiness: [(frame: Int, value: Double)] = []

    init(networks: [String: String]) {}

    func start(after last: VideoFrame?) {
        frozenPictures = FrozenPictures()
        if let last { _ = frozenPictures.isFrozen(last) }
        (frozen, blockiness) = ([], [])
    }

    func see(_ seen: SeenPicture) {
        let picture = seen.picture
        let isFrozen =
            picture.isRepeat && !frozen.isEmpty
            ? frozen[frozen.count - 1].isFrozen : frozenPictures.isFrozen(picture.frame)
        frozen.append((picture.index, isFrozen))
        if seen.isLook(every: Self.step), let value = Blockiness.of(picture.frame) {
            blockiness.append((picture.index, value))
        }
    }

    func values(of face: TrackedFace) -> MetricValues {
        let frames = face.frames
        return [
            .frozen: frozen.filter { frames.contains($0.frame) }.map { $0.isFrozen ? 1 : 0 }.mean,
            .blockiness: blockiness.filter { frames.contains($0.frame) }.map(\.value).mean,
        ]
    }
}

extension Metric {
    public static let frozen = Metric(
        "frozen", .mean,
        "The share of pictures that show the one before once more, though the file says that they are new."
    )
    public static let blockiness = Metric(
        "blockiness", .mean,
        "How much larger differences are at the borders of 8-pixel blocks than inside: below 0.3 in good "
            + "video, 1 and more in MPEG-2 and MPEG-4 video of few bits. Scaling after coding hides blocks."
    )
}

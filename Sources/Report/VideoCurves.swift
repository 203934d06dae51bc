import Media
import Perception

/// What of a talking video can be drawn over time, a value a frame at 25 a second: how far the mouth is
/// open, and how loud the sound is.
struct VideoCurves: Encodable {
    /// The opening is in distances from the eyes to the chin; nil where no face is found.
    let opening: [Double?]
    /// The root mean square of the sound, 0...1; empty where there is none.
    let loudness: [Double]

    /// - Throws: `LoopyError` when the video cannot be decoded.
    init(of path: String, _ follower: FaceFollower) throws {
        let probe = try MediaProbe(path: path)
        let reader = try VideoReader(path: path, clock: probe.video.clock)
        let opening = MouthOpening.curve(try follower.faces(in: reader).main)
        self.opening = opening.map { $0.map(Self.rounded) }
        guard probe.audio != nil else {
            loudness = []
            return
        }
        let samples = try AudioReader.read(
            path: path, start: probe.video.clock.startSeconds,
            count: opening.count * Grid.samplesPerFrame, isRegular: probe.video.clock.isRegular)
        loudness = Grid.levels(of: samples).map { Self.rounded(Double($0)) }
    }

    /// More digits make the page larger, and its lines no finer.
    private static func rounded(_ value: Double) -> Double { (value * 1e4).rounded() / 1e4 }
}

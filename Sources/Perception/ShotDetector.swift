import Media

/// Finds cuts: pictures that differ from the one before much more than pictures lately did.
///
/// Fades and pans are no cuts. A flash is two, where it begins and where it ends: what is shown on
/// its far side cannot be known from the pictures so far.
public struct ShotDetector {
    private static let width = 32, height = 18
    /// The mean difference of RGB values (0...255) below which nothing is a cut.
    private static let floor: Float = 16
    /// The number of times that a difference must exceed the recent mean.
    private static let ratio: Float = 4
    private static let memory = 8
    /// The pictures before one that decide whether a shot begins with it.
    public static let reach = memory + 1

    private var previous: [Float]?
    private var recent: [Float] = []

    public init() {}

    /// Whether a new shot begins with this picture.
    public mutating func isCut(_ frame: VideoFrame) -> Bool {
        let (width, height) = (ShotDetector.width, ShotDetector.height)
        let map = Affine(
            xx: Double(frame.width) / Double(width), xy: 0, x0: 0,
            yx: 0, yy: Double(frame.height) / Double(height), y0: 0)
        let thumbnail = frame.pixels(map, width: width, height: height)
        defer { previous = thumbnail }
        guard let previous else { return false }
        let difference =
            zip(thumbnail, previous).reduce(Float(0)) { $0 + abs($1.0 - $1.1) }
            / Float(thumbnail.count)
        let usual = recent.isEmpty ? 0 : recent.reduce(0, +) / Float(recent.count)
        let isCut = difference > max(ShotDetector.floor, ShotDetector.ratio * usual)
        if isCut {
            recent.removeAll()
        } else {
            recent.append(difference)
            if recent.count > ShotDetector.memory { recent.removeFirst() }
        }
        return isCut
    }
}

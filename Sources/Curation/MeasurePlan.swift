import Dataset
import Media

/// A stretch of one source, measured on its own.
public struct Stretch: Sendable, Equatable {
    public let source: Source
    /// The frames on the 25 fps grid. The last stretch of a source goes on to wherever its pictures end.
    public let frames: Range<Int>
    /// Whether the source, or an annotated part of it, begins here: there must be a picture.
    let isFirst: Bool

    /// The stretch's name in its unit's record: a unit that was cut otherwise is another one.
    public var name: String {
        "\(source.digest.prefix(16))-\(frames.lowerBound)-\(frames.upperBound)"
    }
}

/// Cuts sources, or the parts of them that annotations name, into stretches and groups these into
/// work units of about equal length, so that a two-hour video is shared out and a thousand short ones
/// do not make a thousand files.
public struct MeasurePlan: Sendable {
    public let units: [WorkUnit]
    private let stretches: [String: Stretch]

    private static let maximumStretches = 64
    /// A container's word about its length may be a little short.
    private static let slack = 250

    public init(_ sources: [Source], unitSeconds: Double) {
        let unitFrames = max(1, Int(unitSeconds * Double(Grid.framesPerSecond)))
        var units: [[Stretch]] = []
        var current: [Stretch] = []
        var length = 0
        func close() {
            if !current.isEmpty { units.append(current) }
            current = []
            length = 0
        }
        for source in sources {
            guard let probe = source.probe else { continue }
            let frames = probe.framesWithSound ?? probe.video.gridFrames
            for part in Self.parts(of: source, frames: frames) {
                // Pieces of equal length: no short one at the end.
                let pieces = max(1, Int((Double(part.count) / Double(unitFrames)).rounded()))
                for piece in 0..<pieces {
                    let start = part.lowerBound + part.count * piece / pieces
                    let end = part.lowerBound + part.count * (piece + 1) / pieces
                    if length + (end - start) > unitFrames * 5 / 4
                        || current.count >= Self.maximumStretches
                    {
                        close()
                    }
                    let open = end == frames ? Self.open(source, frames: frames) : 0
                    current.append(
                        Stretch(
                            source: source, frames: start..<(end + open), isFirst: piece == 0))
                    length += end - start
                }
            }
        }
        close()
        self.units = units.enumerated().map { number, stretches in
            WorkUnit(
                name: padded(number, 5), items: stretches.map(\.name),
                frames: stretches.reduce(0) { $0 + $1.frames.count })
        }
        stretches = Dictionary(
            units.joined().map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// What of a source is measured. Annotated spans may overlap (two faces of one picture, say):
    /// cut wherever one begins or ends, every picture is measured once, and faces are joined again.
    private static func parts(of source: Source, frames: Int) -> [Range<Int>] {
        guard let spans = source.spans else { return [0..<frames] }
        let ranges = spans.map { $0.frames.clamped(to: 0..<frames) }.filter { !$0.isEmpty }
        let borders = Set(ranges.flatMap { [$0.lowerBound, $0.upperBound] }).sorted()
        return zip(borders, borders.dropFirst()).map { $0..<$1 }.filter { part in
            ranges.contains { $0.contains(part.lowerBound) }
        }
    }

    /// Frames to look for beyond a source's stated end.
    private static func open(_ source: Source, frames: Int) -> Int {
        if source.probe?.framesWithSound != nil { return 0 }
        guard let spans = source.spans else { return slack }
        let furthest = spans.map(\.frames.upperBound).max() ?? frames
        return min(slack, max(0, furthest - frames))
    }

    public func stretches(of unit: WorkUnit) -> [Stretch] {
        unit.items.compactMap { stretches[$0] }
    }
}

extension MediaProbe {
    /// Sound that ends less than this before the pictures is filled up with silence: muxers end tracks
    /// some packets apart, and half a second is shorter than a pause between two sentences.
    private static let longestSilence = 0.5

    /// The frames that have sound, where it ends long before the pictures do; nil where it does not, or
    /// where no whole frame has any (what is wrong is then the sound itself, and the rules say so).
    ///
    /// Candidates end with them: a mouth that speaks in silence is worse than a shorter clip.
    var framesWithSound: Int? {
        guard let end = audio?.end else { return nil }
        let rate = Double(Grid.framesPerSecond)
        let frames = Int(max(0, min(end * rate + 1e-6, 1e12)))
        let missing = Double(video.gridFrames) / rate - end
        return missing >= Self.longestSilence && frames > 0 ? frames : nil
    }
}

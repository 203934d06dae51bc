import Dataset
import Media

/// A stretch of one source, measured on its own.
public struct Stretch: Sendable, Equatable {
    public let source: Source
    /// On the 25 fps grid. The last stretch of a source has no end of its own.
    public let frames: Range<Int>

    /// The stretch's name in its unit's record.
    public var name: String { "\(source.digest.prefix(16))-\(frames.lowerBound)" }
}

/// Cuts sources into stretches and groups these into work units of about equal length, so that a
/// two-hour video is shared out and a thousand short ones do not make a thousand files.
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
            guard let frames = source.probe?.video.gridFrames else { continue }
            // Pieces of equal length: no short one at the end.
            let pieces = max(1, Int((Double(frames) / Double(unitFrames)).rounded()))
            for piece in 0..<pieces {
                let start = frames * piece / pieces, end = frames * (piece + 1) / pieces
                if length + (end - start) > unitFrames * 5 / 4
                    || current.count >= Self.maximumStretches
                {
                    close()
                }
                let open = piece == pieces - 1 ? Self.slack : 0
                current.append(Stretch(source: source, frames: start..<(end + open)))
                length += end - start
            }
        }
        close()
        self.units = units.enumerated().map { number, stretches in
            let digits = String(number)
            return WorkUnit(
                name: String(repeating: "0", count: max(0, 5 - digits.count)) + digits,
                items: stretches.map(\.name))
        }
        stretches = Dictionary(
            units.joined().map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    public func stretches(of unit: WorkUnit) -> [Stretch] {
        unit.items.compactMap { stretches[$0] }
    }
}

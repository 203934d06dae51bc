import Errors
import Storage

/// The accepted clips of a selection as work units. Every column has the same units with the same items, so
/// members stand in the same order everywhere.
public struct ClipPlan: Sendable {
    /// The units of columns: parts of shards, in order.
    public let units: [WorkUnit]
    /// The shards, in order: all the clips of each.
    public let shards: [WorkUnit]
    /// The clips by key.
    public let clips: [String: PlannedClip]

    /// The clips of a unit at most: so few that many workers find work in a thousand clips.
    static let clipsPerUnit = 10

    /// The plan of a dataset's selection.
    ///
    /// - Throws: `LoopyError` where it is missing or cannot be understood.
    public init(_ dataset: DatasetDirectory) throws {
        self.init(
            try JSONLines.read(PlannedClip.Line.self, from: dataset.selectionFile).lazy.map(\.clip))
    }

    public init(_ selection: [Decision]) { self.init(selection.lazy.map(PlannedClip.init)) }

    /// - Parameter lines: the clip of each line of a selection; nil where it has none.
    private init(_ lines: some Sequence<PlannedClip?>) {
        var order: [String] = []
        var keys: [String: [String]] = [:]
        var clips: [String: PlannedClip] = [:]
        for (line, clip) in lines.enumerated() {
            guard var clip else { continue }
            clip.line = line
            if keys[clip.shard] == nil { order.append(clip.shard) }
            keys[clip.shard, default: []].append(clip.key)
            clips[clip.key] = clip
        }
        func unit(_ name: String, _ keys: some Collection<String>) -> WorkUnit {
            let frames = keys.reduce(0) { $0 + (clips[$1]?.frames.count ?? 0) }
            return WorkUnit(name: name, items: Array(keys), frames: frames)
        }
        shards = order.map { unit($0, keys[$0]!) }  // every shard got a key above
        units = shards.flatMap { shard in
            Self.parts(of: shard).map { unit($0.name, $0.items) }
        }
        self.clips = clips
    }

    private static func parts(of shard: WorkUnit) -> [(name: String, items: ArraySlice<String>)] {
        stride(from: 0, to: shard.items.count, by: clipsPerUnit).enumerated().map { part, start in
            let end = min(shard.items.count, start + clipsPerUnit)
            return ("\(shard.name)-\(padded(part, 3))", shard.items[start..<end])
        }
    }

    /// The units of a column that make up a shard.
    public func units(of shard: WorkUnit) -> [WorkUnit] {
        Self.parts(of: shard).map { WorkUnit(name: $0.name, items: Array($0.items)) }
    }

    /// The units with these names; all of them when there are none.
    ///
    /// - Throws: `LoopyError` `.configuration` for a name that is not in the plan.
    public static func choose(_ names: [String], from units: [WorkUnit]) throws -> [WorkUnit] {
        guard !names.isEmpty else { return units }
        let byName = Dictionary(uniqueKeysWithValues: units.map { ($0.name, $0) })
        return try names.map { name in
            guard let unit = byName[name] else {
                let range = units.isEmpty ? "" : " (\(units[0].name) to \(units.last!.name))"
                throw LoopyError(
                    .configuration, "no unit '\(name)': there are \(units.count)\(range)")
            }
            return unit
        }
    }
}

/// A number with zeros before it, so that names sort as numbers do.
package func padded(_ number: Int, _ digits: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
}

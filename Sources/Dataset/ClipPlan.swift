import Errors

/// The accepted clips of a selection as work units: one for each shard, in shard order. Every
/// column has the same units with the same items, so members stand in the same order everywhere.
public struct ClipPlan: Sendable {
    public let units: [WorkUnit]
    /// Accepted decisions by key.
    public let clips: [String: Decision]

    public init(_ selection: [Decision]) {
        var order: [String] = []
        var keys: [String: [String]] = [:]
        var clips: [String: Decision] = [:]
        for decision in selection {
            guard let key = decision.key, let shard = decision.shard else { continue }
            if keys[shard] == nil { order.append(shard) }
            keys[shard, default: []].append(key)
            clips[key] = decision
        }
        units = order.map { WorkUnit(name: $0, items: keys[$0]!) }  // every shard got a key above
        self.clips = clips
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

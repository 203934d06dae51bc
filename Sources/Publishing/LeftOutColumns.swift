import Dataset
import Errors
import Features
import Settings

/// The columns that are not published, because the publisher may not give them away.
struct LeftOutColumns {
    /// The columns of the dataset's shards, those that are published, and those that are not, in the order in
    /// which a clip's members stand.
    let packed: [String]
    let kept: [String]
    let leftOut: [String]

    /// - Parameters:
    ///   - named: what the publisher leaves out. Without `video`, the sound that belongs to it is left out
    ///     as well; and with each column those from which it can be made again, at least in part.
    ///   - packed: the columns in shards.
    /// - Throws: `LoopyError` `.configuration` for a column that is not there.
    init(_ named: [String], packed: [String], catalogue: Catalogue) throws {
        for name in named where !packed.contains(name) {
            throw LoopyError(
                .configuration,
                "--without \(name): there is no such column in the shards"
                    + Configuration.suggest(name, packed))
        }
        var leftOut = Set(named)
        if leftOut.contains("video") { leftOut.insert("audio") }
        // Also through columns that are in no shard.
        let columns = Set(packed).union(catalogue.columns.keys)
        while true {
            let more = columns.filter { name in
                !leftOut.contains(name) && Self.revealsInputs(name)
                    && catalogue.columns[name]?.inputs.keys.contains(where: leftOut.contains)
                        ?? false
            }
            if more.isEmpty { break }
            leftOut.formUnion(more)
        }
        self.packed = packed
        kept = packed.filter { !leftOut.contains($0) }
        self.leftOut = packed.filter(leftOut.contains)
    }

    /// A column that this version does not know may hold anything.
    private static func revealsInputs(_ name: String) -> Bool {
        FeatureColumns.all.first { $0.name == name }?.revealsInputs ?? true
    }
}

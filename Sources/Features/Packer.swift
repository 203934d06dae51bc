import Dataset
import Foundation
import Media
import Settings
import Storage

/// Settings of `loopy-pack`.
public struct PackSettings: DescribedSettings {
    public var columns: [String] = []

    public init() {}

    public static var settings: [Setting<PackSettings>] {
        [
            .list(
                "columns", \.columns,
                "The columns to pack, in the order in which a clip's members stand in the shard; all "
                    + "that there are where none is named.")
        ]
    }
}

/// Packs columns into WebDataset shards: all members of a clip side by side, then the next clip.
///
/// A clip that a column could not make is left out; its failure stands with that column. The
/// invariant `frames = samples/640 = T(keypoints) = T(motion) + 11` is the columns' to keep; here
/// their frame counts are compared, and a clip in which they differ is a failure.
public final class Packer: UnitStage {
    private let dataset: DatasetDirectory
    /// Names of the columns, and where they are read.
    private let columns: [String]
    /// The ends of the names of their members.
    private let suffixes: [String]
    private let plan: ClipPlan
    /// The selection, which says of clips more than the plan does.
    private let lines: [Data]
    private let readers: [ColumnReader]
    private let store: UnitStore
    private let identity: Fingerprint
    public let units: [WorkUnit]

    /// - Throws: `LoopyError` when a column is missing or not finished.
    public init(_ dataset: DatasetDirectory, settings: PackSettings) throws {
        self.dataset = dataset
        let catalogue = try Catalogue.read(dataset)
        let plan = try ClipPlan(dataset)
        let lines = try JSONLines.lines(of: dataset.selectionFile)
        columns = settings.columns.isEmpty ? Self.columns(catalogue) : settings.columns
        suffixes = columns.map(catalogue.suffixInShards)
        // Without clips there is nothing to read, and columns may be missing.
        let readers =
            try plan.shards.isEmpty
            ? []
            : columns.map {
                try ColumnReader($0, in: dataset, catalogue: catalogue)
            }
        self.plan = plan
        self.lines = lines
        self.readers = readers
        store = UnitStore(dataset.shardsFolder, namesCarryDigest: false)
        let digests = readers.map { $0.column.fingerprint.digest + $0.column.suffix }
        identity = try Fingerprint(name: "pack", version: 1, configuration: digests)
        units = plan.shards.map { unit in
            let newline = UInt8(ascii: "\n")
            let facts = unit.items.compactMap { plan.clips[$0] }
                .map { Array(lines[$0.line]) + [newline] }
            let digest = Digest.of(
                Array((digests.map { Array($0.utf8) } + facts).joined(separator: [newline])))
            return WorkUnit(
                name: unit.name, items: unit.items, digest: digest, frames: unit.frames)
        }
    }

    /// Pictures and sound, which no clip is without, and what was computed from them.
    private static func columns(_ catalogue: Catalogue) -> [String] {
        let basic = Catalogue.croppedColumns
        let known = basic + FeatureColumns.names
        let others = Set(catalogue.columns.keys).subtracting(known).sorted()
        return (known + others).filter { basic.contains($0) || catalogue.columns[$0] != nil }
    }

    public var fingerprint: Fingerprint? { identity }

    public func isFinished(_ unit: WorkUnit) -> Bool { store.isFinished(unit) }

    /// Writes one shard.
    public func build(
        _ unit: WorkUnit, skipping: [String: String], alone: Bool, onItems: ([String]) -> Void
    ) throws {
        let parts = plan.units(of: unit)
        let records = try readers.map { reader in
            let records = try parts.map(reader.record)
            return Dictionary(
                uniqueKeysWithValues: records.flatMap { zip($0.items, $0.frames) })
        }
        let file = try OutputFile(store.file(unit, ".tar"))
        let shard = TarWriter(file)
        var packed: [String] = [], frames: [Int] = [], failures: [Failure] = []
        for part in parts {
            let archives = try readers.map { try $0.archive(part) }
            for key in part.items {
                onItems([key])
                if let reason = skipping[key] {
                    failures.append(
                        Failure(stage: "pack", key: key, reason: "crashed", error: reason))
                    continue
                }
                let counts = records.compactMap { $0[key] }
                guard counts.count == readers.count else { continue }
                guard Set(counts).count == 1, let clip = plan.clips[key] else {
                    failures.append(unequal(counts, of: key))
                    continue
                }
                for (index, reader) in readers.enumerated() {
                    let name = key + suffixes[index]
                    try archives[index].copy(reader.memberName(key), to: shard, as: name)
                }
                let facts = ClipFacts(
                    key: key, frames: counts[0], framesPerSecond: Grid.framesPerSecond,
                    sampleRate: Grid.sampleRate,
                    decision: try JSONDecoder().decode(Decision.self, from: lines[clip.line]))
                try shard.add(key + ".json", JSONLines.line(facts))
                packed.append(key)
                frames.append(counts[0])
            }
        }
        try shard.finish()
        try store.commit(unit, files: [file], items: packed, frames: frames, failures: failures)
    }

    private func unequal(_ counts: [Int], of key: String) -> Failure {
        let lengths = zip(columns, counts).map { "\($0) \($1)" }
        return Failure(
            stage: "pack", path: plan.clips[key]?.path, key: key, reason: "lengths differ",
            error: "frames by column: \(lengths.joined(separator: ", "))")
    }

    /// When every shard is finished: former shards go, and the catalogue lists the new ones.
    public func finish() throws -> [Failure] {
        store.keepOnly(units)
        let catalogue = try Catalogue.update(dataset) { catalogue in
            catalogue.shards = units.compactMap { unit -> Catalogue.Shard? in
                guard let record = store.record(unit), let file = record.files.first,
                    let split = Decision.Split(
                        rawValue: String(unit.name.prefix(while: { $0 != "-" })))
                else { return nil }
                return Catalogue.Shard(
                    name: file.name, split: split, clips: record.items.count,
                    frames: record.frames.reduce(0, +), bytes: file.bytes, sha256: file.sha256)
            }
            catalogue.counts.clips = catalogue.shards.reduce(0) { $0 + $1.clips }
            catalogue.counts.frames = catalogue.shards.reduce(0) { $0 + $1.frames }
            let seconds = Double(catalogue.counts.frames) / Double(Grid.framesPerSecond)
            catalogue.counts.hours = (seconds / 3600 * 1e6).rounded() / 1e6
        }
        try DatasetCard.write(catalogue, to: dataset.shardsFolder)
        return try dataset.collectFailures().filter { $0.stage == "pack" }
    }
}

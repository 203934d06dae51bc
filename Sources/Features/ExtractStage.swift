import Dataset
import Errors
import Foundation
import Storage

/// `loopy-extract COLUMN`: one feature of every clip, or of one file.
public final class ExtractStage<Column: FeatureColumn>: UnitStage {
    private let dataset: DatasetDirectory
    private let context: ColumnContext
    private let settings: Column.Settings
    private let plan: ClipPlan
    private let inputs: [String: ColumnReader]
    /// What makes members; nil until the column is prepared.
    private var work: Work?

    private struct Work {
        let column: Column
        let writer: ColumnWriter
    }

    public var units: [WorkUnit] { plan.units }

    /// - Throws: `LoopyError` `.missing` when a column that this one reads is missing; what is wrong
    ///   with settings and weights.
    public init(_ dataset: DatasetDirectory, settings: Column.Settings, threads: Int) throws {
        self.dataset = dataset
        self.settings = settings
        let catalogue = try Catalogue.read(dataset)
        context = ColumnContext(dataset: dataset, catalogue: catalogue, threads: threads)
        plan = try ClipPlan(dataset)
        inputs = try Dictionary(
            uniqueKeysWithValues: Column.inputs.map {
                ($0, try ColumnReader($0, in: dataset, catalogue: catalogue))
            })
        if try Column.isPrepared(settings, context) { work = try begin() }
    }

    private func begin() throws -> Work {
        let column = try Column(settings, context)
        let writer = try ColumnWriter(
            Column.name, suffix: Column.suffix, column.identity,
            inputs: inputs.mapValues(\.column.fingerprint.digest), settings: column.settings,
            dataset: dataset, units: plan.units)
        return Work(column: column, writer: writer)
    }

    public var fingerprint: Fingerprint? { work?.writer.fingerprint }

    public func isFinished(_ unit: WorkUnit) -> Bool { work?.writer.isFinished(unit) ?? false }

    public func prepare(_ onStep: (_ done: Int, _ total: Int) -> Void) throws {
        try Column.prepare(settings, context, onStep)
        work = try begin()
    }

    /// Makes the members of one unit. Clips that an input lacks are skipped: they are failures there.
    public func build(
        _ unit: WorkUnit, skipping: [String: String], alone: Bool, onItems: ([String]) -> Void
    ) throws {
        let work = try work ?? begin()
        self.work = work
        let archives = try inputs.mapValues { try $0.archive(unit) }
        let finished = try inputs.values.map { reader in
            let record = try reader.record(unit)
            return Dictionary(uniqueKeysWithValues: zip(record.items, record.frames))
        }
        let items = unit.items.filter { item in finished.allSatisfy { $0[item] != nil } }
        let present = WorkUnit(name: unit.name, items: items, digest: unit.digest)
        try work.writer.build(present, skipping: skipping) { key in
            onItems([key])
            var slices: [String: FileSlice] = [:]
            for (name, archive) in archives {
                let member = try archive.member(inputs[name]!.memberName(key))  // the same names
                slices[name] = FileSlice(path: archive.path, bytes: member.bytes)
            }
            return try work.column.member(
                of: ClipInputs(key: key, frames: finished.first?[key], slices: slices))
        }
    }

    public func finish() throws -> [Failure] {
        // Without a clip there may be nothing to prepare the column from.
        if work == nil, !units.isEmpty { work = try begin() }
        try work?.writer.finish()
        return try dataset.collectFailures().filter { $0.stage == Column.name }
    }
}

extension FeatureColumn {
    /// Extracts the feature of one file: what stands in the column it is computed from (a clip, its
    /// sound, its key points), in whatever format.
    ///
    /// - Returns: its frames.
    /// - Throws: `LoopyError` for settings and files that cannot be used, and for output that cannot be
    ///   written.
    public static func extract(
        from path: String, to output: String, settings: Settings, threads: Int
    ) throws -> Int {
        guard let input = inputs.first, inputs.count == 1 else {
            throw LoopyError(
                .configuration,
                "\(name) is computed from \(inputs.joined(separator: " and ")): extract it in a dataset"
            )
        }
        let context = ColumnContext(dataset: nil, catalogue: Catalogue(), threads: threads)
        let column = try Self(settings, context)
        let name = ((path as NSString).lastPathComponent as NSString).deletingPathExtension
        let member = try column.member(
            of: ClipInputs(key: name, frames: nil, slices: [input: FileSlice(path: path)]))
        let file = try OutputFile(output)
        try member.produce { try file.write($0) }
        try file.commit()
        return member.frames
    }
}

import Dataset
import Foundation
import Media

/// `loopy-extract COLUMN`: one feature of every clip.
public final class ExtractStage: UnitStage {
    /// The columns that can be extracted, in the order in which they depend on each other.
    public static let columns = ["keypoints", "motion"]

    private let plan: ClipPlan
    private let dataset: DatasetDirectory
    private let writer: ColumnWriter
    private let input: ColumnReader
    /// Makes a member from the input's archive and the member's place in it.
    private let makeMember: (TarReader, TarReader.Member) throws -> ColumnMember

    public var units: [WorkUnit] { plan.units }

    /// - Parameters:
    ///   - settings: used by the columns that have some.
    /// - Throws: `DatasetError` for an unknown column, or when the column it reads is missing.
    public init(
        _ column: String, _ dataset: DatasetDirectory, settings: KeypointsSettings, threads: Int
    ) throws {
        self.dataset = dataset
        let catalogue = try Catalogue.read(dataset)
        plan = ClipPlan(try dataset.selection())
        switch column {
        case "keypoints":
            let reader = try ColumnReader("video", in: dataset, catalogue: catalogue)
            input = reader
            writer = try ColumnWriter(
                "keypoints", suffix: ".npy", version: KeypointsExtractor.version,
                configuration: [String: String](),
                inputs: ["video": reader.column.fingerprint.digest],
                networks: try KeypointsExtractor.networks(settings).mapValues(Digest.ofFile),
                facts: reader.column.facts, dataset: dataset, units: plan.units)
            var extractor: KeypointsExtractor?
            makeMember = { archive, member in
                let ready = try extractor ?? KeypointsExtractor(settings)
                extractor = ready
                let array = try ready.extract(
                    VideoReader(path: archive.path, bytes: member.bytes, threads: threads))
                return ColumnMember(bytes: array.encoded(), frames: array.shape[0])
            }
        case "motion":
            let reader = try ColumnReader("keypoints", in: dataset, catalogue: catalogue)
            input = reader
            let side = reader.column.facts["side"] ?? VideoEncoding().size
            writer = try ColumnWriter(
                "motion", suffix: ".npy", version: MotionVariance.version,
                configuration: ["window": MotionVariance.window, "side": side],
                inputs: ["keypoints": reader.column.fingerprint.digest],
                facts: ["window": MotionVariance.window], dataset: dataset, units: plan.units)
            makeMember = { archive, member in
                let keypoints = try NumPyArray(
                    decoding: archive.read(member.name), name: member.name)
                let motion = try MotionVariance.column(keypoints, side: Double(side))
                return ColumnMember(
                    bytes: motion.encoded(), frames: motion.shape[0] + MotionVariance.window - 1)
            }
        default:
            throw DatasetError(
                .configuration,
                "unknown column '\(column)'" + Configuration.suggest(column, Self.columns))
        }
    }

    public func pending() -> [WorkUnit] { writer.pending() }

    /// Makes the members of one unit; clips that its input lacks are passed over, for they are
    /// failures there.
    public func build(
        _ unit: WorkUnit, skipping: [String: String], onItem: (String) -> Void
    ) throws {
        let archive = try input.archive(unit)
        let record = try input.record(unit)
        let present = WorkUnit(name: unit.name, items: record.items, recipe: unit.recipe)
        try writer.build(present, skipping: skipping) { key in
            onItem(key)
            return try makeMember(archive, archive.member(input.memberName(key)))
        }
    }

    public func finish() throws -> [Failure] {
        try writer.finish()
        return try dataset.collectFailures().filter { $0.stage == writer.name }
    }
}

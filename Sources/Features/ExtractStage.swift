import Dataset
import Errors
import Foundation
import Perception
import Settings
import Storage

/// Settings of `loopy-extract`: a section for each column that has some.
public struct ExtractSettings: Sendable {
    public var keypoints = KeypointsSettings()
    public var speech = SpeechSettings()
    public var latents = LatentsSettings()

    public init() {}
}

/// `loopy-extract COLUMN`: one feature of every clip, or of one file.
public final class ExtractStage: UnitStage {
    /// The columns that can be extracted, in the order in which they depend on each other.
    public static let columns = ["keypoints", "motion", "speech", "latents"]

    private let plan: ClipPlan
    private let dataset: DatasetDirectory
    private let writer: ColumnWriter
    private let input: ColumnReader
    private let recipe: ColumnRecipe

    public var units: [WorkUnit] { plan.units }

    /// - Parameter settings: the column's section is used.
    /// - Throws: `LoopyError` for an unknown column, or when the column it reads is missing; what
    ///   is wrong with settings and weights.
    public init(
        _ column: String, _ dataset: DatasetDirectory, settings: ExtractSettings, threads: Int
    ) throws {
        self.dataset = dataset
        let catalogue = try Catalogue.read(dataset)
        plan = ClipPlan(try dataset.selection())
        recipe = try Self.recipe(column, dataset, catalogue, settings, threads)
        input = try ColumnReader(recipe.input, in: dataset, catalogue: catalogue)
        writer = try ColumnWriter(
            column, suffix: ".npy", version: recipe.version, configuration: recipe.configuration,
            inputs: [recipe.input: input.column.fingerprint.digest], networks: recipe.networks,
            facts: recipe.facts, settings: recipe.settings, dataset: dataset, units: plan.units)
    }

    /// Extracts a column's feature of one file: what stands in the column it is computed from (a clip,
    /// its sound, its key points), in whatever format.
    ///
    /// - Returns: its frames.
    /// - Throws: as `init`; `LoopyError` and others for a file that cannot be used.
    public static func extract(
        _ column: String, from path: String, to output: String, settings: ExtractSettings,
        threads: Int
    ) throws -> Int {
        let recipe = try recipe(column, nil, Catalogue(), settings, threads)
        let member = try recipe.makeMember(FileSlice(path: path))
        let file = try OutputFile(output)
        try member.produce { try file.write($0) }
        try file.commit()
        return member.frames
    }

    private static func recipe(
        _ column: String, _ dataset: DatasetDirectory?, _ catalogue: Catalogue,
        _ settings: ExtractSettings, _ threads: Int
    ) throws -> ColumnRecipe {
        switch column {
        case "keypoints":
            try KeypointsExtractor.recipe(
                settings.keypoints, facts: catalogue.columns["video"]?.facts ?? [:],
                threads: threads)
        case "motion":
            MotionVariance.recipe(
                side: catalogue.columns["keypoints"]?.facts["side"] ?? MotionVariance.usualSide)
        case "speech": try SpeechColumn.recipe(settings.speech, threads: threads)
        case "latents":
            try LatentsColumn.recipe(
                settings.latents, dataset: dataset, side: catalogue.columns["video"]?.facts["side"],
                threads: threads)
        default:
            throw LoopyError(
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
            let member = try archive.member(input.memberName(key))
            return try recipe.makeMember(FileSlice(path: archive.path, bytes: member.bytes))
        }
    }

    public func finish() throws -> [Failure] {
        try writer.finish()
        return try dataset.collectFailures().filter { $0.stage == writer.name }
    }
}

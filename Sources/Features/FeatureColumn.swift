import Dataset
import Errors
import Foundation
import Settings
import Storage

/// A feature of every clip, computed from members of other columns.
///
/// A column is one type in one file and one entry in `FeatureColumns.all`: the command line, pipeline
/// files, packing, verification and the catalogue follow from that.
public protocol FeatureColumn {
    /// The settings of the column: its section below `extract` in a pipeline file.
    associatedtype Settings: DescribedSettings

    /// The name in commands, settings, folders and shards.
    static var name: String { get }
    /// The columns that it is computed from.
    static var inputs: [String] { get }

    /// The ending of its members' names; ".npy" for arrays whose first axis is time.
    static var suffix: String { get }

    /// Whether pictures or sound can be made from its members again, at least in part. Such a column is not
    /// published without the columns that it is computed from.
    static var revealsInputs: Bool { get }

    /// The frames of a clip whose member has so many rows.
    static func frames(rows: Int) -> Int

    /// Whether `init` finds all that it needs, or has to make something first that belongs to the whole
    /// dataset, such as a codec. Until then nothing of the column is made.
    static func isPrepared(_ settings: Settings, _ context: ColumnContext) throws -> Bool

    /// Makes what belongs to the whole dataset, where `init` would have to.
    ///
    /// - Parameter onStep: called with how far it is, and of how many steps.
    static func prepare(
        _ settings: Settings, _ context: ColumnContext,
        _ onStep: (_ done: Int, _ total: Int) -> Void
    ) throws

    /// Finds the weights. Networks are loaded when the first member is made.
    ///
    /// - Throws: `LoopyError` `.configuration` for settings that cannot be used; what is wrong with
    ///   weights.
    init(_ settings: Settings, _ context: ColumnContext) throws

    /// The settings in force, what was left open filled in: the catalogue records them.
    var settings: Settings { get }
    var identity: ColumnIdentity { get }

    /// Makes the column's member of one clip.
    ///
    /// - Throws: `LoopyError` for a clip of which none can be made.
    func member(of clip: ClipInputs) throws -> ColumnMember
}

extension FeatureColumn {
    public static var suffix: String { ".npy" }
    public static var revealsInputs: Bool { true }

    public static func frames(rows: Int) -> Int { rows }

    public static func isPrepared(_ settings: Settings, _ context: ColumnContext) -> Bool { true }

    public static func prepare(
        _ settings: Settings, _ context: ColumnContext,
        _ onStep: (_ done: Int, _ total: Int) -> Void
    ) {}
}

/// All columns that can be extracted, in the order in which they depend on each other, and in which a
/// clip's members stand in a shard.
public enum FeatureColumns {
    public static var all: [any FeatureColumn.Type] {
        [
            KeypointsColumn.self, MotionColumn.self, SpeechColumn.self, LatentsColumn.self,
            TranscriptColumn.self, CaptionColumn.self,
        ]
    }

    public static var names: [String] { all.map { $0.name } }

    /// - Throws: `LoopyError` `.configuration` that suggests the nearest name.
    public static func named(_ name: String) throws -> any FeatureColumn.Type {
        if let column = all.first(where: { $0.name == name }) { return column }
        throw LoopyError(
            .configuration, "unknown column '\(name)'" + Configuration.suggest(name, names))
    }
}

/// Where a column is made.
public struct ColumnContext {
    /// The dataset; nil for a single file outside of any.
    public let dataset: DatasetDirectory?
    public let catalogue: Catalogue
    /// Threads to compute with; 0 for one a processor.
    public let threads: Int

    /// What is recorded of another column for its readers.
    func facts(_ column: String) -> [String: Int] { catalogue.columns[column]?.facts ?? [:] }
}

/// The members of one clip that a column is computed from.
public struct ClipInputs {
    /// The clip's; for a single file outside of any dataset, its name without the ending.
    let key: String
    /// The clip's frames; nil for a single file.
    let frames: Int?
    let slices: [String: FileSlice]

    /// - Precondition: the column is among the `inputs` of the one that is computed.
    subscript(column: String) -> FileSlice {
        guard let slice = slices[column] else {
            preconditionFailure("\(column) is not among the inputs")
        }
        return slice
    }
}

/// A file, or a part of one: a member of an archive.
struct FileSlice {
    var path: String
    /// The part that is meant; nil for the whole file.
    var bytes: Range<Int>?

    /// - Throws: `LoopyError` `.missing` when it cannot be read.
    func read() throws -> [UInt8] {
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            guard let bytes else { return [UInt8](try file.readToEnd() ?? Data()) }
            try file.seek(toOffset: UInt64(bytes.lowerBound))
            return [UInt8](try file.read(upToCount: bytes.count) ?? Data())
        } catch {
            throw LoopyError(
                .missing, "\(path): cannot be read (\(error.localizedDescription))")
        }
    }
}

/// Something that is made when it is first needed, and then kept.
final class Lazily<Value> {
    private var made: Value?
    private let make: () throws -> Value

    init(_ make: @escaping () throws -> Value) { self.make = make }

    func get() throws -> Value {
        if let made { return made }
        let value = try make()
        made = value
        return value
    }
}

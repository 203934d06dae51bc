import Errors
import Foundation
import Storage
import Stores

/// A piece of a stage's work that is independent of every other: finished or absent.
public struct WorkUnit: Sendable, Equatable {
    /// "00000", or "train-00000".
    public let name: String
    /// The digest over what the unit is made from (its spans, its clips' keys): the same name with
    /// another digest is other work.
    public let digest: String
    /// What the unit holds, in order: names of spans, or keys of clips.
    public let items: [String]
    /// How much work it is, in frames: the longest units are begun first.
    public let frames: Int

    public init(name: String, items: [String], digest: String? = nil, frames: Int = 0) {
        self.name = name
        self.items = items
        self.frames = frames
        self.digest = digest ?? Digest.of(items.joined(separator: "\n"))
    }
}

/// What stands beside a finished unit's files, and makes them finished.
public struct UnitRecord: Codable, Sendable, Equatable {
    public struct File: Codable, Sendable, Equatable {
        public var name: String
        public var bytes: Int
        public var sha256: String

        init(name: String, bytes: Int, sha256: String) {
            (self.name, self.bytes, self.sha256) = (name, bytes, sha256)
        }

        /// - Throws: `DecodingError` for a file that does not lie beside its record.
        public init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            name = try values.decode(String.self, forKey: .name)
            bytes = try values.decode(Int.self, forKey: .bytes)
            sha256 = try values.decode(String.self, forKey: .sha256)
            guard !name.contains("/") else {
                throw DecodingError.dataCorruptedError(
                    forKey: .name, in: values,
                    debugDescription: "'\(name)' is no file beside the record")
            }
        }
    }

    public var unit: String
    /// The digest of the `WorkUnit`.
    public var digest: String
    public var files: [File]
    /// What the unit holds, in order, and the frames of each.
    public var items: [String]
    public var frames: [Int]
    public var failures: [Failure]

    private enum CodingKeys: String, CodingKey {
        case unit, files, items, frames, failures
        // The key that datasets have had from the beginning.
        case digest = "recipe"
    }
}

/// The folder of a stage's units: which are finished, and how one becomes so.
///
/// A unit's files are named for it and, in folders that keep units of former selections until all
/// new ones are finished, for its digest too. The record is written last.
public struct UnitStore: Sendable {
    public let folder: String
    private let namesCarryDigest: Bool

    public init(_ folder: String, namesCarryDigest: Bool = true) {
        self.folder = folder
        self.namesCarryDigest = namesCarryDigest
    }

    public func stem(_ unit: WorkUnit) -> String {
        namesCarryDigest ? "\(unit.name)-\(unit.digest.prefix(8))" : unit.name
    }

    public func file(_ unit: WorkUnit, _ suffix: String) -> String {
        folder + "/" + stem(unit) + suffix
    }

    /// The record of a finished unit; nil when it is not finished, or was has another digest.
    public func record(_ unit: WorkUnit) -> UnitRecord? {
        guard
            let record = try? JSONLines.readDocument(
                UnitRecord.self, from: file(unit, ".json")),
            record.digest == unit.digest,
            record.files.allSatisfy(isThere)
        else { return nil }
        return record
    }

    /// Archives that a working copy of a dataset in an object store lacks are there all the same.
    private func isThere(_ file: UnitRecord.File) -> Bool {
        guard let size = fileSize(folder + "/" + file.name) else { return Origin.of(folder) != nil }
        return size == file.bytes
    }

    /// Opens an archive of a finished unit; one that a working copy lacks is fetched.
    ///
    /// - Throws: `LoopyError` where it is damaged, or cannot be fetched.
    public func archive(_ name: String, of record: UnitRecord) throws -> TarReader {
        let path = folder + "/" + name
        if let origin = Origin.of(folder), let file = record.files.first(where: { $0.name == name })
        {
            try origin.provide(path, sha256: file.sha256)
        }
        return try TarReader(path)
    }

    public func isFinished(_ unit: WorkUnit) -> Bool { record(unit) != nil }

    public func pending(_ units: [WorkUnit]) -> [WorkUnit] { units.filter { !isFinished($0) } }

    /// Gives the unit's files their names, then writes the record. Whoever commits a unit first has made it:
    /// what others made of it goes, so that no record stands beside another worker's files.
    public func commit(
        _ unit: WorkUnit, files: [OutputFile], items: [String], frames: [Int], failures: [Failure]
    ) throws {
        guard record(unit) == nil else { return }
        // A record of former work, or of files that are gone, must not vouch for these.
        unlink(file(unit, ".json"))
        let entries = try files.map { file in
            let digest = try file.commit()
            let name = (file.path as NSString).lastPathComponent
            return UnitRecord.File(name: name, bytes: file.byteCount, sha256: digest)
        }
        let made = UnitRecord(
            unit: unit.name, digest: unit.digest, files: entries, items: items, frames: frames,
            failures: failures)
        let recordFile = try OutputFile(file(unit, ".json"))
        try recordFile.write(JSONLines.document(made))
        if try recordFile.commitFirst() { return }
        // Another worker has come between with other bytes: the unit is to be made once more.
        if record(unit)?.files != entries { unlink(file(unit, ".json")) }
    }

    /// Removes the units that are not in the plan, and what killed processes left half-written. What
    /// no record names is somebody else's, and stays.
    ///
    /// Call when every unit of the plan is finished.
    public func keepOnly(_ units: [WorkUnit]) {
        OutputFile.removeAbandoned(in: folder)
        let planned = Set(units.map { stem($0) + ".json" })
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        for name in names where name.hasSuffix(".json") && !planned.contains(name) {
            let path = folder + "/" + name
            guard let record = try? JSONLines.readDocument(UnitRecord.self, from: path) else {
                continue
            }
            // The record last: what a kill leaves is found again.
            for file in record.files { unlink(folder + "/" + file.name) }
            unlink(path)
        }
    }

    private func fileSize(_ path: String) -> Int? {
        var information = stat()
        return stat(path, &information) == 0 ? Int(information.st_size) : nil
    }
}

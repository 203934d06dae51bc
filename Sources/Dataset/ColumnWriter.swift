import Errors
import Foundation
import Storage

/// One member of a column, as its extractor makes it.
public struct ColumnMember {
    /// Frames that it covers.
    public var frames: Int
    let byteCount: Int
    public let produce: (_ write: ([UInt8]) throws -> Void) throws -> Void

    public init(bytes: [UInt8], frames: Int) {
        self.init(byteCount: bytes.count, frames: frames) { write in try write(bytes) }
    }

    /// A member that is too large to be held in memory: features of an hour are gigabytes.
    ///
    /// - Parameter produce: called once, when the member is written; hands its bytes over in pieces,
    ///   `byteCount` of them altogether. When it throws, the clip is a failure.
    public init(
        byteCount: Int, frames: Int,
        produce: @escaping (_ write: ([UInt8]) throws -> Void) throws -> Void
    ) {
        self.byteCount = byteCount
        self.frames = frames
        self.produce = produce
    }
}

/// What a column's members depend on, and what their readers must know.
public struct ColumnIdentity {
    /// The version of the code: raised whenever the same settings make something else.
    public var version: Int
    /// Every setting that changes what is made.
    public var configuration: any Encodable
    /// Digests of the weight files in use, by role.
    public var networks: [String: String]
    /// What readers must know of the members, such as the side of pictures.
    public var facts: [String: Int]

    public init(
        version: Int, configuration: any Encodable, networks: [String: String] = [:],
        facts: [String: Int] = [:]
    ) {
        self.version = version
        self.configuration = configuration
        self.networks = networks
        self.facts = facts
    }
}

/// Builds the units of one column: tar archives whose members are `<key><suffix>`.
///
/// Clips of a former selection under the same fingerprint are copied, not made again. A clip that
/// cannot be made becomes a failure of the unit, and the others stand.
public final class ColumnWriter {
    public let name: String
    public let fingerprint: Fingerprint
    private let dataset: DatasetDirectory
    private let suffix: String
    private let identity: ColumnIdentity
    private let inputs: [String: String]
    private let settings: JSONValue
    private let units: [WorkUnit]
    private let store: UnitStore
    private var formerMembers: [String: FormerMember]?
    /// The archive read last: one at a time, for there may be more than a process may open.
    private var formerArchive: (name: String, reader: TarReader)?

    /// A clip in a unit outside the plan.
    private struct FormerMember {
        var record: UnitRecord
        var archive: String
        var frames: Int
    }

    /// - Parameters:
    ///   - suffix: the ending of members' names, such as ".npy".
    ///   - inputs: fingerprints of the columns that this one is computed from, by name.
    ///   - settings: all settings, for the catalogue.
    ///   - units: all units of the plan, also those that others build.
    public init(
        _ name: String, suffix: String, _ identity: ColumnIdentity,
        inputs: [String: String] = [:], settings: any Encodable, dataset: DatasetDirectory,
        units: [WorkUnit]
    ) throws {
        self.name = name
        self.suffix = suffix
        self.identity = identity
        self.inputs = inputs
        self.settings = try JSONValue(settings: settings)
        self.dataset = dataset
        self.units = units
        fingerprint = try Fingerprint(
            name: name, version: identity.version, configuration: identity.configuration,
            files: identity.networks, inputs: inputs)
        store = UnitStore(dataset.columnFolder(name, fingerprint))
    }

    public func pending() -> [WorkUnit] { store.pending(units) }

    public func isFinished(_ unit: WorkUnit) -> Bool { store.isFinished(unit) }

    /// The record of a finished unit; nil when it is not finished.
    public func record(_ unit: WorkUnit) -> UnitRecord? { store.record(unit) }

    /// Makes every clip of a unit and writes its archive. Output that cannot be written stops it;
    /// whatever else goes wrong concerns one clip.
    ///
    /// - Parameters:
    ///   - skipping: clips not to be tried, with the reason (a worker crashed on them).
    ///   - make: the member of one clip.
    public func build(
        _ unit: WorkUnit, skipping: [String: String] = [:],
        make: (String) throws -> ColumnMember
    ) throws {
        let file = try OutputFile(store.file(unit, ".tar"))
        let archive = TarWriter(file)
        var failures: [Failure] = []
        var finished: [String] = []
        var frames: [Int] = []
        for key in unit.items {
            if let reason = skipping[key] {
                failures.append(Failure(stage: name, key: key, reason: "crashed", error: reason))
                continue
            }
            do {
                frames.append(
                    try copyFormer(key, to: archive) ?? add(key, make(key), to: archive))
                finished.append(key)
            } catch let error as LoopyError where error.category == .output {
                throw error
            } catch {
                failures.append(
                    Failure(stage: name, key: key, reason: "failed", error: "\(error)"))
            }
        }
        try archive.finish()
        try store.commit(
            unit, files: [file], items: finished, frames: frames, failures: failures)
    }

    /// When every unit is finished: units of former selections go, and the catalogue names this
    /// column.
    public func finish() throws {
        formerMembers = nil
        formerArchive = nil
        store.keepOnly(units)
        let prefix = dataset.path + "/"
        let folder = String(store.folder.dropFirst(prefix.count))
        try Catalogue.update(dataset) { catalogue in
            catalogue.columns[name] = Catalogue.Column(
                fingerprint: fingerprint, folder: folder, suffix: suffix, inputs: inputs,
                networks: identity.networks, facts: identity.facts, settings: settings)
        }
    }

    private func add(_ key: String, _ member: ColumnMember, to archive: TarWriter) throws -> Int {
        try archive.add(key + suffix, size: member.byteCount, member.produce)
        return member.frames
    }

    /// Copies the member of a clip that a unit outside the plan holds.
    ///
    /// - Returns: its frames; nil when there is none. An archive that is damaged is as good as none.
    private func copyFormer(_ key: String, to archive: TarWriter) throws -> Int? {
        if formerMembers == nil { formerMembers = findFormerMembers() }
        guard let member = formerMembers?[key] else { return nil }
        do {
            if formerArchive?.name != member.archive {
                let reader = try store.archive(member.archive, of: member.record)
                formerArchive = (member.archive, reader)
            }
            try formerArchive?.reader.copy(key + suffix, to: archive, as: key + suffix)
            return member.frames
        } catch let error as LoopyError where error.category != .output {
            return nil
        }
    }

    /// Archives of units outside the plan, by clip.
    private func findFormerMembers() -> [String: FormerMember] {
        var found: [String: FormerMember] = [:]
        let planned = Set(units.map(store.stem))
        let names = (try? FileManager.default.contentsOfDirectory(atPath: store.folder)) ?? []
        for name in names.sorted() where name.hasSuffix(".json") {
            let stem = String(name.dropLast(".json".count))
            let path = store.folder + "/" + stem
            guard !planned.contains(stem),
                let record = try? JSONLines.readDocument(UnitRecord.self, from: path + ".json")
            else { continue }
            for (key, frames) in zip(record.items, record.frames) {
                found[key] = FormerMember(record: record, archive: stem + ".tar", frames: frames)
            }
        }
        return found
    }
}

/// Reads a finished column, unit by unit.
public struct ColumnReader: Sendable {
    public let column: Catalogue.Column
    private let store: UnitStore

    public init(_ name: String, in dataset: DatasetDirectory, catalogue: Catalogue) throws {
        column = try catalogue.column(name)
        store = UnitStore(dataset.path + "/" + column.folder)
    }

    public func archive(_ unit: WorkUnit) throws -> TarReader {
        try store.archive(store.stem(unit) + ".tar", of: record(unit))
    }

    public func record(_ unit: WorkUnit) throws -> UnitRecord {
        guard let record = store.record(unit) else {
            throw LoopyError(
                .missing, "\(store.file(unit, ".tar")) is not finished: run its stage again")
        }
        return record
    }

    public func memberName(_ key: String) -> String { key + column.suffix }
}

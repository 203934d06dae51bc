import Dataset
import Errors
import Foundation
import Storage
import Stores
import Synchronization

/// The folder in which a process works on a dataset that lies in an object store. It has all of the dataset
/// but archives: those that are wanted are fetched (`Origin`), and there is room for so many.
///
/// A unit goes to the store archives first and record last, and only where the store has no record of it:
/// whoever is first has made it, as in a folder that all machines see.
final class WorkingCopy: Sendable {
    let folder: String
    private let store: ObjectStore
    private let mostBytes: Int
    private let state = Mutex(State())

    private struct State {
        /// What the store and the copy agreed on when they were last compared.
        var files: [String: Version] = [:]
        /// The archives that the store has.
        var archives: Set<String> = []
    }

    private struct Version: Equatable {
        /// The store's; nil for what was put there.
        var tag: String?
        var bytes: Int
        var modified: Date
    }

    private static let ownWork = ".work/"
    private static let archive = ".tar"

    /// - Parameters:
    ///   - folder: a folder of this process's own.
    ///   - gigabytes: what archives may take in it.
    init(_ store: ObjectStore, in folder: String, gigabytes: Double) throws {
        (self.store, self.folder) = (store, folder)
        mostBytes = Int(gigabytes * 1e9)
        try Origin.declare(folder, of: store.url)
    }

    // MARK: From the store

    /// Brings what has changed in the store.
    func pull() throws {
        try state.withLock { state in
            // What is listed may be removed before it is fetched.
            for _ in 0..<3 {
                do {
                    return try pull(&state)
                } catch let error as LoopyError where error.category == .missing {
                    continue
                }
            }
            try pull(&state)
        }
    }

    private func pull(_ state: inout State) throws {
        let entries = try store.list().filter { !$0.name.hasPrefix(Self.ownWork) }
        let texts = entries.filter { !$0.name.hasSuffix(Self.archive) }
        state.archives = Set(entries.map(\.name).filter { $0.hasSuffix(Self.archive) })
        let changed = texts.filter {
            state.files[$0.name]?.tag != $0.tag || version($0.name) == nil
        }
        try store.get(changed) { path($0.name) + ".pulled" }
        for entry in changed {
            try replace(entry.name, &state)
            state.files[entry.name]?.tag = entry.tag
        }
        let listed = Set(texts.map(\.name))
        for name in state.files.keys where !listed.contains(name) {
            unlink(path(name))
            state.files[name] = nil
        }
    }

    /// Gives a file that was fetched its name. Archives that its former contents vouched for go.
    private func replace(_ name: String, _ state: inout State) throws {
        let (path, new) = (path(name), path(name) + ".pulled")
        if let record = record(name), !FileManager.default.contentsEqual(atPath: path, andPath: new)
        {
            removeArchives(of: record, name)
        }
        guard rename(new, path) == 0 else { throw LoopyError.system(.output, "renaming it", path) }
        state.files[name] = version(name)
    }

    // MARK: To the store

    /// Takes the units that were finished here to the store.
    func pushUnits() throws {
        try state.withLock { state in
            for name in changed(state) {
                if let record = record(name) { try push(record, name, &state) }
            }
            trim(state)
        }
    }

    /// Takes all that has changed here to the store, and removes there what was removed here.
    func push() throws {
        try pushUnits()
        try state.withLock { state in
            for name in changed(state) where record(name) == nil {
                try store.put(path(name), as: name)
                state.files[name] = version(name)
            }
            for name in state.files.keys where version(name) == nil {
                try removeStored(name, &state)
            }
        }
    }

    private func push(_ made: UnitRecord, _ name: String, _ state: inout State) throws {
        if let stored = try storedRecord(name) {
            // Former work of another kind must not vouch for these archives.
            guard stored.digest != made.digest else {
                return try replace(name, &state)
            }
            try store.remove([name])
        }
        let folder = (name as NSString).deletingLastPathComponent
        for file in made.files.map({ folder + "/" + $0.name }) {
            try store.put(path(file), as: file)
            if file.hasSuffix(Self.archive) {
                state.archives.insert(file)
            } else {
                state.files[file] = version(file)
            }
        }
        if try store.put(path(name), as: name, isFirst: true) {
            state.files[name] = version(name)
        } else if let stored = try storedRecord(name) {
            // Another worker has come between; with other bytes, the unit is to be made once more.
            if stored.files != made.files { try store.remove([name]) }
            try replace(name, &state)
        }
    }

    /// Fetches a record, beside the one that is here.
    private func storedRecord(_ name: String) throws -> UnitRecord? {
        guard try !store.list(name).isEmpty else { return nil }
        try store.get(name, to: path(name) + ".pulled")
        return record(name + ".pulled")
    }

    /// Archives first: what a kill leaves is found again by its record.
    private func removeStored(_ name: String, _ state: inout State) throws {
        if name.hasSuffix(".json"), let record = try storedRecord(name) {
            let folder = (name as NSString).deletingLastPathComponent
            try store.remove(record.files.map { folder + "/" + $0.name })
        }
        unlink(path(name) + ".pulled")
        try store.remove([name])
        state.files[name] = nil
    }

    // MARK: The folder

    private func path(_ name: String) -> String { folder + "/" + name }

    /// The files here, other than archives, that the store has not or has otherwise.
    private func changed(_ state: State) -> [String] {
        let names =
            FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        return names.filter { name in
            guard !name.hasPrefix("."), !name.hasSuffix(Self.archive), !name.hasSuffix(".pulled"),
                !name.contains(".partial-"), let version = version(name)
            else { return false }
            let known = state.files[name]
            return known?.bytes != version.bytes || known?.modified != version.modified
        }.sorted()
    }

    /// Nil where there is no such file.
    private func version(_ name: String) -> Version? {
        guard let facts = try? FileManager.default.attributesOfItem(atPath: path(name)),
            facts[.type] as? FileAttributeType == .typeRegular,
            let bytes = facts[.size] as? Int, let modified = facts[.modificationDate] as? Date
        else { return nil }
        return Version(tag: nil, bytes: bytes, modified: modified)
    }

    /// Nil where a file is something else than a unit's record.
    private func record(_ name: String) -> UnitRecord? {
        guard name.contains(".json"), !name.hasSuffix(".jsonl") else { return nil }
        return try? JSONLines.readDocument(UnitRecord.self, from: path(name))
    }

    private func removeArchives(of record: UnitRecord, _ name: String) {
        let folder = (path(name) as NSString).deletingLastPathComponent
        for file in record.files { unlink(folder + "/" + file.name) }
    }

    /// Removes archives that the store has, the one that was used longest ago first, until the others have
    /// room.
    private func trim(_ state: State) {
        var here = state.archives.compactMap { name in version(name).map { (name, $0) } }
        var total = here.reduce(0) { $0 + $1.1.bytes }
        here.sort { $0.1.modified < $1.1.modified }
        for (name, version) in here {
            if total <= mostBytes { return }
            unlink(path(name))
            total -= version.bytes
        }
    }
}

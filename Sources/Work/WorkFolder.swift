import Errors
import Foundation
import Storage
import Stores
import Synchronization

/// Where workers leave word for one another: small files, which all of them see.
package protocol WorkFolder: Sendable {
    /// Whether the dataset is elsewhere too: writing takes long, and a worker does not see at once what
    /// others have finished.
    var isRemote: Bool { get }

    /// The files of a folder and those in it, and when each was changed, by the clock of the folder.
    func files(in folder: String) throws -> [(name: String, modified: Double)]

    /// When a file was changed; nil where there is none.
    func modified(_ name: String) throws -> Double?

    /// - Returns: nil where there is no such file.
    func read(_ name: String) throws -> Data?

    /// Writes a file, whole or not at all. It is not synced: a claim that a power cut loses claims nothing.
    ///
    /// - Parameter isFirst: only where there is no file of that name.
    /// - Returns: whether it was written.
    @discardableResult
    func write(_ bytes: [UInt8], to name: String, isFirst: Bool) throws -> Bool

    /// Adds to the end of a file that nobody else writes.
    func append(_ bytes: [UInt8], to name: String) throws

    /// - Returns: whether the file was there, as far as can be told.
    @discardableResult
    func remove(_ name: String) throws -> Bool

    /// Where the folder's clock stands, in seconds: machines' clocks differ.
    func now() throws -> Double
}

/// A folder that all workers' machines see.
package struct SharedWorkFolder: WorkFolder {
    private let root: String
    private static let writes = Mutex(0)

    package init(_ root: String) { self.root = root }

    package var isRemote: Bool { false }

    private func path(_ name: String) -> String { root + "/" + name }

    package func files(in folder: String) throws -> [(name: String, modified: Double)] {
        let names = FileManager.default.enumerator(atPath: path(folder))?.compactMap {
            $0 as? String
        }
        return (names ?? []).sorted().compactMap { name in
            let name = folder + "/" + name
            var information = stat()
            guard stat(path(name), &information) == 0, information.st_mode & S_IFMT == S_IFREG
            else {
                return nil
            }
            return (name, seconds(information.st_mtim))
        }
    }

    package func modified(_ name: String) -> Double? {
        var information = stat()
        guard stat(path(name), &information) == 0 else { return nil }
        return seconds(information.st_mtim)
    }

    package func read(_ name: String) -> Data? { FileManager.default.contents(atPath: path(name)) }

    @discardableResult
    package func write(_ bytes: [UInt8], to name: String, isFirst: Bool) throws -> Bool {
        let path = path(name)
        let number = Self.writes.withLock { writes in
            writes += 1
            return writes
        }
        let temporary = "\(path).\(OutputFile.machine)-\(getpid())-\(number).new"
        try OutputFile.makeFolder((path as NSString).deletingLastPathComponent)
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: temporary))
        } catch {
            throw LoopyError(
                .output, "cannot be written (\(error.localizedDescription))", path: path)
        }
        return isFirst
            ? try OutputFile.renameFirst(temporary, to: path) : rename(temporary, path) == 0
    }

    package func append(_ bytes: [UInt8], to name: String) throws {
        let path = path(name)
        try OutputFile.makeFolder((path as NSString).deletingLastPathComponent)
        let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
        guard file >= 0 else { throw LoopyError.system(.output, "opening it", path) }
        defer { close(file) }
        guard Foundation.write(file, bytes, bytes.count) == bytes.count else {
            throw LoopyError.system(.output, "writing", path)
        }
    }

    package func remove(_ name: String) -> Bool { unlink(path(name)) == 0 }

    package func now() throws -> Double {
        let clock = path(".clock-\(OutputFile.machine)-\(getpid())")
        try OutputFile.makeFolder(root)
        let file = open(clock, O_WRONLY | O_CREAT | O_CLOEXEC, 0o666)
        guard file >= 0 else { throw LoopyError.system(.output, "creating it", clock) }
        defer {
            close(file)
            unlink(clock)
        }
        var information = stat()
        guard futimens(file, nil) == 0, fstat(file, &information) == 0 else {
            throw LoopyError.system(.output, "touching it", clock)
        }
        return seconds(information.st_mtim)
    }

    private func seconds(_ time: timespec) -> Double {
        Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// A place in an object store, which must know conditional writes.
package final class StoredWorkFolder: WorkFolder {
    private let store: ObjectStore
    /// For what goes to the store and comes from it.
    private let scratch: String
    /// The store's clock less ours, in seconds.
    private let ahead: Double
    private let appended = Mutex<[String: [UInt8]]>([:])
    private let numbers = Mutex(0)

    /// - Throws: `LoopyError` `.configuration` when the store overwrites files although it is told not to.
    package init(_ store: ObjectStore, scratch: String) throws {
        (self.store, self.scratch) = (store, scratch)
        let name = ".work/clock-\(OutputFile.machine)-\(getpid())"
        let file = "\(scratch)/clock-\(getpid())"
        try OutputFile.makeFolder(scratch)
        defer { unlink(file) }
        try OutputFile.write(Array("first".utf8), to: file)
        try store.put(file, as: name)
        guard let entry = try store.list(name).first else {
            throw LoopyError(.output, "lists nothing of what was just written", path: store.url)
        }
        ahead = entry.modified - Date().timeIntervalSince1970
        try OutputFile.write(Array("second".utf8), to: file)
        let isReplaced = try store.put(file, as: name, isFirst: true)
        try store.remove([name])
        guard !isReplaced else {
            throw LoopyError(
                .configuration,
                "replaces files although it is told to keep them (no conditional writes, "
                    + "'If-None-Match'), so that several workers would undo each other's work: use "
                    + "another store, or a file system that all machines see", path: store.url)
        }
    }

    package var isRemote: Bool { true }

    private static let folder = ".work/"

    package func files(in folder: String) throws -> [(name: String, modified: Double)] {
        try store.list(Self.folder + folder).map {
            (String($0.name.dropFirst(Self.folder.count)), $0.modified)
        }
    }

    package func modified(_ name: String) throws -> Double? {
        try store.list(Self.folder + name).first?.modified
    }

    private func withFile<Result>(_ body: (String) throws -> Result) throws -> Result {
        let number = numbers.withLock { number in
            number += 1
            return number
        }
        let file = "\(scratch)/word-\(getpid())-\(number)"
        defer { unlink(file) }
        return try body(file)
    }

    package func read(_ name: String) throws -> Data? {
        try withFile { file in
            do {
                try store.get(Self.folder + name, to: file)
            } catch let error as LoopyError where error.category == .missing {
                return nil
            }
            return FileManager.default.contents(atPath: file)
        }
    }

    @discardableResult
    package func write(_ bytes: [UInt8], to name: String, isFirst: Bool) throws -> Bool {
        try withFile { file in
            try Data(bytes).write(to: URL(fileURLWithPath: file))
            return try store.put(file, as: Self.folder + name, isFirst: isFirst)
        }
    }

    package func append(_ bytes: [UInt8], to name: String) throws {
        let all = appended.withLock { appended in
            appended[name, default: []] += bytes
            return appended[name] ?? []
        }
        try write(all, to: name, isFirst: false)
    }

    package func remove(_ name: String) throws -> Bool {
        try store.remove([Self.folder + name])
        return true
    }

    package func now() -> Double { Date().timeIntervalSince1970 + ahead }
}

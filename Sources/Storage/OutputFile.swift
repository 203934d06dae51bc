import Crypto
import Errors
import Foundation

/// A file that appears whole or not at all: bytes go to a temporary name beside the final one and
/// are hashed on the way; `commit` syncs and renames. Never committed, it is removed.
public final class OutputFile {
    public let path: String
    public private(set) var byteCount = 0
    private let temporaryPath: String
    private var descriptor: Int32
    private var buffer: [UInt8] = []
    private var hash = SHA256()
    private static let bufferSize = 1 << 18
    /// Temporary names end in the machine and the process that write them: several may share a
    /// dataset.
    private static let marker = ".partial-"
    public static let machine: String = {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }()

    package static func temporaryPath(of path: String, process: Int32) -> String {
        "\(path)\(marker)\(machine)-\(process)"
    }

    public init(_ path: String) throws {
        self.path = path
        temporaryPath = OutputFile.temporaryPath(of: path, process: getpid())
        let folder = (path as NSString).deletingLastPathComponent
        try OutputFile.makeFolder(folder)
        descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw LoopyError.system(.output, "creating it", path) }
        buffer.reserveCapacity(OutputFile.bufferSize)
    }

    deinit {
        guard descriptor >= 0 else { return }
        close(descriptor)
        unlink(temporaryPath)
    }

    public static func makeFolder(_ folder: String) throws {
        guard !folder.isEmpty else { return }
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw LoopyError(.output, "\(folder): cannot be made (\(error.localizedDescription))")
        }
    }

    public func write(_ bytes: some Collection<UInt8>) throws {
        buffer.append(contentsOf: bytes)
        byteCount += bytes.count
        if buffer.count >= OutputFile.bufferSize { try flush() }
    }

    private func flush() throws {
        hash.update(data: buffer)
        try buffer.withUnsafeBytes { bytes in
            var written = 0
            while written < bytes.count {
                let count = Foundation.write(
                    descriptor, bytes.baseAddress! + written, bytes.count - written)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { throw LoopyError.system(.output, "writing", path) }
                written += count
            }
        }
        buffer.removeAll(keepingCapacity: true)
    }

    /// A point in the file to go back to.
    public struct Mark {
        fileprivate let byteCount: Int
        fileprivate let hash: SHA256
    }

    public func mark() throws -> Mark {
        try flush()
        return Mark(byteCount: byteCount, hash: hash)
    }

    /// Takes back all that was written since the mark was made.
    public func rewind(to mark: Mark) throws {
        buffer.removeAll(keepingCapacity: true)
        guard ftruncate(descriptor, off_t(mark.byteCount)) == 0,
            lseek(descriptor, off_t(mark.byteCount), SEEK_SET) >= 0
        else { throw LoopyError.system(.output, "cutting it back", path) }
        byteCount = mark.byteCount
        hash = mark.hash
    }

    /// Syncs, gives the file its name, and returns the SHA-256 of its bytes in hex.
    @discardableResult
    public func commit() throws -> String {
        try sync()
        guard rename(temporaryPath, path) == 0 else {
            let error = LoopyError.system(.output, "renaming", path)
            unlink(temporaryPath)
            throw error
        }
        return hash.finalize().hex
    }

    /// Syncs, and gives the file its name where no file has it.
    ///
    /// - Returns: false where one does: that one stays, and this one goes.
    public func commitFirst() throws -> Bool {
        try sync()
        return try OutputFile.renameFirst(temporaryPath, to: path)
    }

    /// Renames a file where no file has the new name; it goes where one does.
    ///
    /// - Returns: whether it has the new name.
    package static func renameFirst(_ temporary: String, to path: String) throws -> Bool {
        defer { unlink(temporary) }
        if link(temporary, path) == 0 { return true }
        if errno == EEXIST || access(path, F_OK) == 0 { return false }
        // There are file systems without hard links.
        guard rename(temporary, path) == 0 else {
            throw LoopyError.system(.output, "renaming", path)
        }
        return true
    }

    private func sync() throws {
        try flush()
        guard fsync(descriptor) == 0 else { throw LoopyError.system(.output, "syncing", path) }
        close(descriptor)
        descriptor = -1
    }

    /// A whole file at once.
    @discardableResult
    public static func write(_ bytes: some Collection<UInt8>, to path: String) throws -> String {
        let file = try OutputFile(path)
        try file.write(bytes)
        return try file.commit()
    }

    /// A copy of a whole file.
    ///
    /// - Returns: the SHA-256 of its bytes.
    /// - Throws: `LoopyError` `.missing` where it cannot be read, `.output` where the copy cannot be written.
    @discardableResult
    public static func copy(_ original: String, to path: String) throws -> String {
        let copy = try OutputFile(path)
        do {
            let source = try FileHandle(forReadingFrom: URL(fileURLWithPath: original))
            defer { try? source.close() }
            while let piece = try source.read(upToCount: 1 << 20), !piece.isEmpty {
                try copy.write(piece)
            }
        } catch let error where !(error is LoopyError) {
            throw LoopyError(
                .missing, "cannot be read (\(error.localizedDescription))", path: original)
        }
        return try copy.commit()
    }

    /// A whole file that something else writes.
    ///
    /// - Parameter body: gets the path to write to.
    public static func write(to path: String, _ body: (String) throws -> Void) throws {
        let file = try OutputFile(path)
        try body(file.temporaryPath)
        try file.commit()
    }

    /// Removes what processes that are gone have left half-written in a folder: those of this machine, and
    /// those of others that have not written for an hour.
    public static func removeAbandoned(in folder: String) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        for name in names {
            guard let mark = name.range(of: marker) else { continue }
            let path = folder + "/" + name
            if name[mark.upperBound...].hasPrefix(machine + "-") {
                // A process that wrote for that one may have a mark of its own behind.
                let number = name[mark.upperBound...].dropFirst(machine.count + 1)
                    .prefix(while: \.isNumber)
                guard let process = Int32(number) else { continue }
                // No permission to signal a process means that there is one.
                if process == getpid() || kill(process, 0) == 0 || errno == EPERM { continue }
            } else if secondsSinceChange(of: path) < 3600 {
                continue
            }
            unlink(path)
        }
    }

    private static func secondsSinceChange(of path: String) -> Double {
        var information = stat()
        guard stat(path, &information) == 0 else { return 0 }
        return Date().timeIntervalSince1970 - Double(information.st_mtim.tv_sec)
    }
}

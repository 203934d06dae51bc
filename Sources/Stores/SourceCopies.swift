import Errors
import Foundation
import Storage

/// Copies of files that lie in object stores, which FFmpeg cannot read there: as many as there is room for.
///
/// They are in `LOOPY_SCRATCH` (a folder of the system's temporary one when it is not set), and shared by
/// all processes of a machine. Together they take up to `LOOPY_SCRATCH_GIGABYTES` (50): the one that was
/// used longest ago goes first. `LOOPY_FETCH` is a command that copies one, its arguments being the address
/// and the path; without it, `ObjectStore` does.
public struct SourceCopies: Sendable {
    private let folder: String
    private let mostBytes: Int
    private let command: [String]

    private static let tries = 3

    /// As the environment says.
    public static var shared: SourceCopies {
        SourceCopies(
            folder: scratch,
            gigabytes: variable("LOOPY_SCRATCH_GIGABYTES").flatMap(Double.init) ?? 50,
            command: variable("LOOPY_FETCH") ?? "")
    }

    /// The folder for copies of what lies in object stores.
    public static var scratch: String {
        variable("LOOPY_SCRATCH")
            ?? FileManager.default.temporaryDirectory.appendingPathComponent("loopy-\(getuid())")
            .path
    }

    // `ProcessInfo` may not see what this process sets.
    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    public init(folder: String, gigabytes: Double, command: String = "") {
        self.folder = folder + "/sources"
        mostBytes = Int(gigabytes * 1e9)
        self.command = command.split(separator: " ").map(String.init)
    }

    /// Opens a copy of a file. It can be read for as long as the descriptor is open, whatever becomes of
    /// its name.
    ///
    /// - Parameter digest: the SHA-256 that the file must have; nil where that is to be found out, and what
    ///   is in the store now is copied in any case.
    /// - Returns: an open descriptor, which the caller closes.
    /// - Throws: `LoopyError` `.unreadable` where the file is not there, is another one, or does not come
    ///   whole, and `.output` where the store cannot be reached.
    public func open(_ address: String, digest: String?) throws -> Int32 {
        let stem = "\(folder)/\(Digest.of(address).prefix(16))"
        return try FileLock.holding(stem + ".lock") {
            if let digest {
                let path = Self.path(stem, digest)
                let file = Foundation.open(path, O_RDONLY | O_CLOEXEC)
                if file >= 0 {
                    futimens(file, nil)
                    return file
                }
            }
            let (path, file) = try fetch(address, stem, digest)
            trim(keeping: path)
            return file
        }
    }

    /// Removes all copies. Those that are open can be read on.
    public func removeAll() {
        for copy in all() { unlink(copy.path) }
    }

    private static func path(_ stem: String, _ digest: String) -> String {
        "\(stem)-\(digest.prefix(32)).source"
    }

    private func fetch(
        _ address: String, _ stem: String, _ digest: String?
    ) throws -> (path: String, file: Int32) {
        for attempt in 1..<Self.tries {
            do {
                return try fetchOnce(address, stem, digest)
            } catch let error as LoopyError where error.category == .unreadable {
                Thread.sleep(forTimeInterval: Double(attempt))
            }
        }
        return try fetchOnce(address, stem, digest)
    }

    private func fetchOnce(
        _ address: String, _ stem: String, _ digest: String?
    ) throws -> (path: String, file: Int32) {
        let new = OutputFile.temporaryPath(of: stem, process: getpid())
        defer { unlink(new) }
        try copy(address, to: new)
        let found = try Digest.ofFile(new)
        if let digest, digest != found {
            throw LoopyError(
                .unreadable,
                "is not what was ingested (SHA-256 \(found.prefix(8)), not \(digest.prefix(8))): ingest it "
                    + "again, or look at how it is transferred", path: address)
        }
        // Once it has its name, somebody may remove it.
        let file = Foundation.open(new, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw LoopyError.system(.output, "opening it", new) }
        let path = Self.path(stem, found)
        guard rename(new, path) == 0 else {
            defer { close(file) }
            throw LoopyError.system(.output, "renaming it", path)
        }
        return (path, file)
    }

    private func copy(_ address: String, to path: String) throws {
        guard let program = command.first else {
            do {
                return try ObjectStore(address).get("", to: path)
            } catch let error as LoopyError where error.category == .missing {
                throw LoopyError(
                    .unreadable, "is not in the store (\(error.message))", path: address)
            }
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + command.dropFirst() + [address, path]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.standardError
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0, access(path, R_OK) == 0 else {
            throw LoopyError(
                .unreadable,
                "'\(command.joined(separator: " "))' did not bring it (status \(process.terminationStatus))",
                path: address)
        }
    }

    private func all() -> [(path: String, bytes: Int, used: Date)] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(".source") }.compactMap { name in
            let path = folder + "/" + name
            guard let facts = try? FileManager.default.attributesOfItem(atPath: path),
                let used = facts[.modificationDate] as? Date, let bytes = facts[.size] as? Int
            else { return nil }
            return (path, bytes, used)
        }
    }

    /// Removes what was used longest ago, until there is room, and what processes that were killed have left.
    private func trim(keeping kept: String) {
        OutputFile.removeAbandoned(in: folder)
        let copies = all()
        var total = copies.reduce(0) { $0 + $1.bytes }
        for copy in copies.sorted(by: { $0.used < $1.used }) where copy.path != kept {
            if total <= mostBytes { return }
            unlink(copy.path)
            total -= copy.bytes
        }
    }
}

import Errors
import Foundation
import Storage
import Synchronization

/// The dataset in an object store that a folder is a working copy of. The folder has all of
/// it but archives, which are fetched when they are wanted.
public final class Origin: Sendable {
    /// The working copy.
    public let folder: String
    public let store: ObjectStore

    /// The file that makes a folder a working copy: it holds the store's address.
    private static let name = ".origin"
    private static let known = Mutex<[String: Origin]>([:])

    private init(_ folder: String, _ url: String) {
        self.folder = folder
        store = ObjectStore(url)
    }

    /// Makes a folder a working copy.
    public static func declare(_ folder: String, of url: String) throws {
        try OutputFile.write(Array(url.utf8), to: "\(folder)/\(name)")
    }

    /// What the folder of a dataset, or a folder in it, is a working copy of; nil for datasets that are
    /// just folders.
    public static func of(_ folder: String) -> Origin? {
        var root = folder[...]
        // columns/video-1a2b3c4d lies two folders down.
        for _ in 0..<3 {
            if let origin = origin(at: String(root)) { return origin }
            guard let slash = root.lastIndex(of: "/") else { return nil }
            root = root[..<slash]
        }
        return nil
    }

    private static func origin(at root: String) -> Origin? {
        known.withLock { known in
            if let origin = known[root] { return origin }
            guard let bytes = FileManager.default.contents(atPath: "\(root)/\(name)") else {
                return nil
            }
            let origin = Origin(root, String(decoding: bytes, as: UTF8.self))
            known[root] = origin
            return origin
        }
    }

    /// Copies a file of the dataset to where it belongs, unless it is there.
    ///
    /// - Parameter sha256: what it must be.
    /// - Throws: `LoopyError`.
    public func provide(_ path: String, sha256: String) throws {
        // What was used longest ago is removed first.
        if utimensat(AT_FDCWD, path, nil, 0) == 0 { return }
        let name = String(path.dropFirst(folder.count + 1))
        try FileLock.holding("\(folder)/.work/fetching/\(Digest.of(name).prefix(16))") {
            if access(path, F_OK) == 0 { return }
            try store.get(name, to: path)
            guard try Digest.ofFile(path) == sha256 else {
                unlink(path)
                throw LoopyError(
                    .malformed, "has another SHA-256 than its record says",
                    path: store.address(of: name))
            }
        }
    }
}

import Dataset
import Errors
import Foundation
import Storage
import Stores

/// Finds the files that lie below the inputs of `loopy-ingest`.
///
/// Names are read as the file system knows them, as bytes; paths are given as `RecordedPath` writes them.
struct SourceSearch {
    /// Files that are named as inputs, and files in folders with a video's extension.
    private(set) var videos: Set<String> = []
    private(set) var others: Set<String> = []
    /// What an object store says of the files that are there.
    private(set) var remote: [String: ObjectStore.Entry] = [:]
    /// Folders that cannot be listed.
    private(set) var unreadable: [Source] = []
    private let extensions: [String]

    init(extensions: [String]) { self.extensions = extensions }

    /// Adds a file, or all files of a folder, which is searched to the bottom; in an object store as well.
    ///
    /// - Throws: `LoopyError` `.missing` when it does not exist; as `ObjectStore.list`.
    mutating func add(_ input: String) throws {
        var path = RecordedPath(input)
        if path.isRemote { return try addRemote(input) }
        if let plain = String(validating: path.bytes, as: UTF8.self) {
            let absolute = URL(fileURLWithPath: plain).standardizedFileURL.path
            path = RecordedPath(bytes: Array(absolute.utf8))
        }
        guard let kind = Self.kind(of: path) else {
            throw LoopyError(.missing, "\(path.text): there is no such file or folder")
        }
        if kind == S_IFDIR { search(path) } else { videos.insert(path.text) }
    }

    private mutating func addRemote(_ address: String) throws {
        let store = ObjectStore(address)
        let entries = try store.list()
        guard !entries.isEmpty else {
            throw LoopyError(.missing, "\(address): there is nothing in the store")
        }
        for entry in entries {
            let path = store.address(of: entry.name)
            let parts = entry.name.split(separator: "/")
            if parts.contains(where: { $0.hasPrefix(".") }) { continue }
            if parts.isEmpty || isVideo(path) {
                videos.insert(path)
                remote[path] = entry
            } else {
                others.insert(path)
            }
        }
    }

    private func isVideo(_ path: String) -> Bool {
        extensions.contains((path as NSString).pathExtension.lowercased())
    }

    private mutating func search(_ folder: RecordedPath) {
        guard let names = Self.names(in: folder) else {
            var source = Source(
                digest: Digest.of(folder.text), path: folder.text, bytes: 0, modified: 0)
            source.reason = LoopyError.Category.unreadable.rawValue
            source.error = "the folder cannot be listed; its permissions forbid it"
            unreadable.append(source)
            return
        }
        for name in names where name.first != UInt8(ascii: ".") {
            let path = folder.appending(name)
            if Self.kind(of: path) == S_IFDIR {
                // A link to a folder may lead in a circle.
                if Self.kind(of: path, followingLinks: false) != S_IFLNK { search(path) }
            } else if isVideo(path.text) {
                videos.insert(path.text)
            } else {
                others.insert(path.text)
            }
        }
    }

    /// Whether there is a file, a folder or something else; nil where there is nothing.
    private static func kind(of path: RecordedPath, followingLinks: Bool = true) -> mode_t? {
        var information = stat()
        let status = path.withCString {
            followingLinks ? stat($0, &information) : lstat($0, &information)
        }
        return status == 0 ? information.st_mode & S_IFMT : nil
    }

    /// The names in a folder, as bytes; nil when it cannot be listed.
    private static func names(in folder: RecordedPath) -> [[UInt8]]? {
        guard let listing = folder.withCString({ opendir($0) }) else { return nil }
        defer { closedir(listing) }
        var names: [[UInt8]] = []
        errno = 0
        while let entry = readdir(listing) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            names.append(name)
            errno = 0
        }
        return errno == 0 ? names : nil
    }
}

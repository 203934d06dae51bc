import Dataset
import Errors
import Foundation
import Storage

/// Writes the files of a published dataset into a folder, and removes those of an earlier publication.
/// Files of others stay: of those, none is ever replaced.
///
/// `files.jsonl` names every file before it is written, so that what a killed process left is known.
struct PublicationWriter {
    let folder: String
    private let former: [String: PublishedFile]
    private var written: [PublishedFile] = []
    /// Files that are links to those of the dataset, and take no room.
    private(set) var linked = 0
    /// Whether the card has been changed by hand, and stays.
    private(set) var keepsCard = false

    /// - Parameter names: the files that will be written.
    /// - Throws: `LoopyError` `.output` where one of them is somebody else's.
    init(_ folder: String, names: [String]) throws {
        self.folder = folder
        let list = folder + "/" + PublishedFolder.list
        let entries =
            FileManager.default.fileExists(atPath: list)
            ? try JSONLines.read(PublishedFile.self, from: list) : []
        // A list that came with a download may name anything; what is outside is nobody's to remove.
        let inside = entries.filter { !$0.name.split(separator: "/").contains("..") }
        former = Dictionary(inside.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        for name in names where former[name] == nil {
            guard FileManager.default.fileExists(atPath: folder + "/" + name) else { continue }
            throw LoopyError(
                .output,
                "is there already, and 'loopy publish' has not written it: name another folder, or move it "
                    + "away", path: folder + "/" + name)
        }
        let new = names.filter { former[$0] == nil }.map { PublishedFile(name: $0) }
        if !new.isEmpty { try JSONLines.write(entries + new, to: list) }
    }

    /// Writes a file.
    ///
    /// - Returns: its size and digest.
    @discardableResult
    mutating func write(
        _ name: String, _ body: (OutputFile) throws -> Void
    ) throws -> (bytes: Int, sha256: String) {
        let file = try OutputFile(folder + "/" + name)
        try body(file)
        let bytes = file.byteCount
        let digest = try file.commit()
        written.append(PublishedFile(name: name, bytes: bytes, sha256: digest))
        return (bytes, digest)
    }

    /// Writes the card, unless somebody has changed it.
    mutating func writeCard(_ text: String) throws {
        let name = PublishedFolder.card, path = folder + "/" + name
        let bytes = Array(text.utf8)
        let made = PublishedFile(name: name, bytes: bytes.count, sha256: Digest.of(bytes))
        let present = try? Digest.ofFile(path)
        if let present, present != made.sha256, let known = former[name]?.sha256, present != known {
            keepsCard = true
            written.append(PublishedFile(name: name, bytes: former[name]?.bytes, sha256: known))
            return
        }
        try write(name) { try $0.write(bytes) }
    }

    /// Gives a file of the dataset a second name, or copies it to a file system of its own.
    ///
    /// - Parameters:
    ///   - sha256: the digest that the dataset records.
    ///   - bytes: the size that it records.
    /// - Throws: `LoopyError` `.malformed` where the file has another size.
    mutating func link(_ name: String, to original: String, bytes: Int, sha256: String) throws {
        let file = PublishedFile(name: name, bytes: bytes, sha256: sha256)
        let path = folder + "/" + name
        guard Self.state(original)?.bytes == bytes else {
            throw LoopyError(
                .malformed,
                "is missing, or has not the \(bytes) bytes that dataset.json says: run loopy-pack again",
                path: original)
        }
        written.append(file)
        if Self.state(path)?.identity == Self.state(original)?.identity {
            linked += 1
            return
        }
        if former[name] == file, Self.state(path)?.bytes == bytes { return }
        try OutputFile.makeFolder((path as NSString).deletingLastPathComponent)
        let temporary = OutputFile.temporaryPath(of: path, process: getpid())
        unlink(temporary)
        if Foundation.link(original, temporary) == 0 {
            guard rename(temporary, path) == 0 else {
                defer { unlink(temporary) }
                throw LoopyError.system(.output, "renaming", path)
            }
            linked += 1
            return
        }
        guard try OutputFile.copy(original, to: path) == sha256 else {
            unlink(path)
            throw LoopyError(
                .malformed, "has not the SHA-256 that dataset.json says: run 'loopy verify'",
                path: original)
        }
    }

    /// Removes what an earlier publication had and this one has not, and lists what there is.
    ///
    /// - Returns: the list.
    func finish() throws -> [PublishedFile] {
        let names = Set(written.map(\.name))
        for name in former.keys where !names.contains(name) {
            unlink(folder + "/" + name)
            // Not where others have files there.
            rmdir(((folder + "/" + name) as NSString).deletingLastPathComponent)
        }
        try JSONLines.write(written, to: folder + "/" + PublishedFolder.list)
        for part in ["", "/" + PublishedFolder.shards, "/" + PublishedFolder.metadata] {
            OutputFile.removeAbandoned(in: folder + part)
        }
        return written
    }

    /// The size of a file, and what tells it from others; nil where there is none.
    private static func state(_ path: String) -> (bytes: Int, identity: [UInt64])? {
        var information = stat()
        guard stat(path, &information) == 0 else { return nil }
        return (Int(information.st_size), [UInt64(information.st_dev), UInt64(information.st_ino)])
    }
}

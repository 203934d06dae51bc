import Errors
import Foundation
import Storage
import Synchronization

/// The files below an address in an object store: S3, Google Cloud Storage, Azure, or whatever else Python's
/// fsspec knows.
///
/// A helper in Python moves the bytes (`store.py`); it lives as long as this does, and does one thing at a
/// time. What fails for a reason that may pass is tried again for five minutes.
public final class ObjectStore: Sendable {
    /// What a store says about one of its files.
    public struct Entry: Codable, Sendable, Equatable {
        /// Below the store's address; "" for the address itself.
        public var name: String
        public var bytes: Int
        /// When it was changed, by the store's clock, in seconds since 1970.
        public var modified: Double
        /// Changes whenever the bytes do.
        public var tag: String
    }

    /// Where the files are, without a slash at the end.
    public let url: String
    private let helper = Mutex<LineProcess?>(nil)

    public init(_ url: String) { self.url = Self.trimmed(url) }

    /// Whether a path is an address in an object store, such as "s3://bucket/videos".
    public static func isAddress(_ path: String) -> Bool {
        guard let colon = path.firstRange(of: "://"), colon.lowerBound > path.startIndex else {
            return false
        }
        let scheme = path[..<colon.lowerBound]
        return scheme != "file"
            && scheme.allSatisfy {
                $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0))
            }
    }

    public func address(of name: String) -> String { name.isEmpty ? url : url + "/" + name }

    /// All files of a folder and those in it, or the file of that name; in the order of their names.
    ///
    /// - Throws: `LoopyError`, as all that follow: `.missing`, and `.output` where the store cannot be reached,
    ///   for want of a network, of credentials or of a package, or this machine's disk is full.
    public func list(_ folder: String = "") throws -> [Entry] {
        var entries = try ask("list", ["url": .string(address(of: folder))]).files ?? []
        guard !folder.isEmpty else { return entries }
        for index in entries.indices {
            let name = entries[index].name
            entries[index].name = name.isEmpty ? folder : folder + "/" + name
        }
        return entries
    }

    /// Copies a file; it appears whole or not at all.
    public func get(_ name: String, to path: String) throws {
        try get([(address(of: name), path, nil)])
    }

    /// Copies files, several at a time.
    public func get(_ entries: [Entry], to path: (Entry) -> String) throws {
        let some = 256
        for start in stride(from: 0, to: entries.count, by: some) {
            let part = entries[start..<min(start + some, entries.count)]
            try get(part.map { (address(of: $0.name), path($0), $0.bytes) })
        }
    }

    private func get(_ files: [(url: String, path: String, bytes: Int?)]) throws {
        for folder in Set(files.map { ($0.path as NSString).deletingLastPathComponent }) {
            try OutputFile.makeFolder(folder)
        }
        let list = files.map { file in
            [.string(file.url), .string(file.path), file.bytes.map(JSONValue.integer) ?? .null]
        }
        _ = try ask("get", ["files": .array(list.map(JSONValue.array))])
    }

    /// Copies a file to the store.
    ///
    /// - Parameter isFirst: only where it has none of that name. For small files.
    /// - Returns: whether the store has this file now.
    @discardableResult
    public func put(_ path: String, as name: String, isFirst: Bool = false) throws -> Bool {
        let answer = try ask(
            "put",
            [
                "url": .string(address(of: name)), "path": .string(path), "first": .bool(isFirst),
            ])
        return answer.made ?? false
    }

    /// Removes files, one after the other. It is no error where there are none.
    public func remove(_ names: [String]) throws {
        guard !names.isEmpty else { return }
        _ = try ask("remove", ["urls": .array(names.map { .string(address(of: $0)) })])
    }

    private static func trimmed(_ url: String) -> String {
        var text = url[...]
        while text.hasSuffix("/"), !text.hasSuffix("://") { text = text.dropLast() }
        return String(text)
    }

    // MARK: The helper

    private struct Answer: Decodable {
        var files: [Entry]?
        var made: Bool?
        var error: String?
        var missing: Bool?
    }

    /// The process that runs `store.py`.
    private static func startHelper() throws -> LineProcess {
        try LineProcess([
            ProcessInfo.processInfo.environment["LOOPY_PYTHON"] ?? "python3",
            Bundle.module.resourcePath.map { $0 + "/store.py" } ?? "store.py",
        ])
    }

    private func ask(_ operation: String, _ details: [String: JSONValue]) throws -> Answer {
        let request = JSONValue.object(details.merging(["op": .string(operation)]) { $1 })
        let line = request.line + [UInt8(ascii: "\n")]
        let reply = try helper.withLock { helper in
            // One that was killed is started anew; all that is asked can be asked twice.
            if let reply = try helper?.ask(line) { return reply }
            let new = try Self.startHelper()
            helper = new
            guard let reply = try new.ask(line) else {
                helper = nil
                throw LoopyError(
                    .output,
                    "the helper in Python has ended (see above); LOOPY_PYTHON names a Python 3 that has "
                        + "fsspec", path: url)
            }
            return reply
        }
        let answer = try JSONDecoder().decode(Answer.self, from: reply)
        guard let error = answer.error else { return answer }
        throw LoopyError(answer.missing == true ? .missing : .output, error, path: url)
    }
}

import Errors
import Foundation
import Stores

/// A file's path as it is recorded in a dataset: the path itself where its bytes are UTF-8. Where they are
/// not, no text can hold them, and the path is recorded as a file URL, which percent-encodes them:
/// "file:///videos/caf%E9.mp4".
///
/// Recorded paths are absolute and begin with a slash, so a file URL cannot be taken for a path. Any
/// decoder of URLs turns it back into the bytes; in Python, `urllib.parse.unquote_to_bytes`.
public struct RecordedPath: Sendable, Equatable {
    /// What is written into `sources.jsonl`, `selection.jsonl` and `failures.jsonl`.
    public let text: String
    /// The bytes that the file system knows the file by.
    public let bytes: [UInt8]

    private static let scheme = "file://"

    /// - Parameter text: a recorded path, or any other path.
    public init(_ text: String) {
        self.text = text
        let encoded = text.hasPrefix(Self.scheme) ? text.dropFirst(Self.scheme.count) : ""
        bytes = Self.decoded(encoded) ?? Array(text.utf8)
    }

    public init(bytes: [UInt8]) {
        self.bytes = bytes
        text = String(validating: bytes, as: UTF8.self) ?? Self.scheme + Self.encoded(bytes)
    }

    /// The path of a file in this folder.
    public func appending(_ name: [UInt8]) -> RecordedPath {
        RecordedPath(bytes: bytes + [UInt8(ascii: "/")] + name)
    }

    /// Calls `body` with the path as the C library wants it.
    public func withCString<Result>(
        _ body: (UnsafePointer<CChar>) throws -> Result
    ) rethrows -> Result {
        try (bytes + [0]).withUnsafeBufferPointer { buffer in
            // There is at least the zero, so the buffer has an address.
            try buffer.baseAddress!.withMemoryRebound(to: CChar.self, capacity: buffer.count, body)
        }
    }

    private static func encoded(_ bytes: [UInt8]) -> String {
        let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/".utf8)
        return bytes.reduce(into: "") { text, byte in
            text +=
                plain.contains(byte)
                ? String(UnicodeScalar(byte)) : String(format: "%%%02X", Int(byte))
        }
    }

    /// The bytes of a URL's path; nil where it is not absolute or not encoded as it should be.
    private static func decoded(_ path: Substring) -> [UInt8]? {
        guard path.hasPrefix("/") else { return nil }
        var bytes: [UInt8] = []
        var rest = Array(path.utf8)[...]
        while let first = rest.popFirst() {
            guard first == UInt8(ascii: "%") else {
                bytes.append(first)
                continue
            }
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            guard digits.utf8.count == 2, let byte = UInt8(digits, radix: 16) else { return nil }
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}

extension RecordedPath {
    /// Whether the file is in an object store.
    public var isRemote: Bool { ObjectStore.isAddress(text) }

    /// Calls `body` with a path under which FFmpeg and Foundation can open the file while `body` runs.
    ///
    /// Both take paths as UTF-8. A file whose name is not UTF-8 is opened by its bytes, and read through
    /// the name that Linux has for every open file. Of a file in an object store, a copy is read so.
    ///
    /// - Parameter digest: the SHA-256 that a copy must have; nil for whatever the store holds now.
    /// - Throws: `LoopyError` `.unreadable`; `.output` where a store cannot be reached; what `body` throws.
    public func withReadablePath<Result>(
        digest: String? = nil, _ body: (String) throws -> Result
    ) throws -> Result {
        if isRemote {
            let descriptor = try SourceCopies.shared.open(text, digest: digest)
            defer { close(descriptor) }
            return try body("/proc/self/fd/\(descriptor)")
        }
        if Array(text.utf8) == bytes { return try body(text) }
        let descriptor = withCString { open($0, O_RDONLY | O_CLOEXEC) }
        guard descriptor >= 0 else {
            throw LoopyError(
                .unreadable, "cannot be read (\(String(cString: strerror(errno))))", path: text)
        }
        defer { close(descriptor) }
        return try body("/proc/self/fd/\(descriptor)")
    }
}

import Errors
import Foundation
import Storage

/// A resource of a site.
public struct Resource: Sendable {
    public enum Content: Sendable {
        case bytes([UInt8])
        /// Some bytes of a file.
        case file(String, Range<Int>)
    }

    public enum ContentType: String, Sendable {
        case html = "text/html; charset=utf-8"
        case json = "application/json"
        case binary = "application/octet-stream"
        case jpeg = "image/jpeg"
        case png = "image/png"
        case mp4 = "video/mp4"
        case flac = "audio/flac"
    }

    public let content: Content
    public let type: ContentType

    public init(_ content: Content, type: ContentType) {
        (self.content, self.type) = (content, type)
    }

    static func json(_ value: some Encodable) throws -> Resource {
        Resource(.bytes(try JSONLines.line(value)), type: .json)
    }

    /// A whole file; nil where there is none.
    static func file(_ path: String, type: ContentType) -> Resource? {
        var information = stat()
        guard stat(path, &information) == 0 else { return nil }
        return Resource(.file(path, 0..<Int(information.st_size)), type: type)
    }

    /// All its bytes.
    ///
    /// - Throws: `LoopyError` where its file cannot be read.
    public func bytes() throws -> [UInt8] {
        switch content {
        case .bytes(let bytes): return bytes
        case .file(let path, let range):
            guard let file = FileHandle(forReadingAtPath: path) else {
                throw LoopyError(.missing, "cannot be read", path: path)
            }
            defer { try? file.close() }
            try file.seek(toOffset: UInt64(range.lowerBound))
            return Array(try file.read(upToCount: range.count) ?? Data())
        }
    }
}

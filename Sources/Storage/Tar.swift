import Errors
import Foundation

/// Writes members one after another in POSIX ustar form: fixed owner, mode and date, so that the
/// same members give the same bytes.
public struct TarWriter {
    private let file: OutputFile

    public init(_ file: OutputFile) { self.file = file }

    /// - Parameter name: at most 100 bytes; Loopy's names are keys and short suffixes.
    public func add(_ name: String, _ bytes: some Collection<UInt8>) throws {
        try file.write(header(name, size: bytes.count))
        try file.write(bytes)
        try pad(bytes.count)
    }

    /// Adds a member that is too large to be held in memory.
    ///
    /// - Parameters:
    ///   - size: bytes of the member.
    ///   - produce: hands the bytes over in pieces. When it throws, or gives more or fewer than
    ///     `size`, the archive is as if the member had never been begun, and others can follow.
    public func add(
        _ name: String, size: Int, _ produce: (_ write: ([UInt8]) throws -> Void) throws -> Void
    ) throws {
        let mark = try file.mark()
        do {
            try file.write(header(name, size: size))
            let start = file.byteCount
            try produce { try file.write($0) }
            guard file.byteCount - start == size else {
                throw LoopyError(
                    .malformed, "\(name): \(file.byteCount - start) bytes instead of \(size)")
            }
            try pad(size)
        } catch {
            try file.rewind(to: mark)
            throw error
        }
    }

    private func pad(_ size: Int) throws {
        try file.write([UInt8](repeating: 0, count: (512 - size % 512) % 512))
    }

    private func header(_ name: String, size: Int) throws -> [UInt8] {
        let nameBytes = Array(name.utf8)
        precondition(nameBytes.count <= 100, "a tar member's name is longer than 100 bytes")
        guard size < 1 << 33 else {
            throw LoopyError(
                .malformed, "\(name): \(size) bytes; a tar member holds less than 8 GiB")
        }
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            header.replaceSubrange(offset..<(offset + text.utf8.count), with: text.utf8)
        }
        header.replaceSubrange(0..<nameBytes.count, with: nameBytes)
        put("0000644", at: 100)
        put("0000000", at: 108)
        put("0000000", at: 116)
        put(octal(size, digits: 11), at: 124)
        put(octal(0, digits: 11), at: 136)
        put("        ", at: 148)
        put("0", at: 156)
        put("ustar", at: 257)
        put("00", at: 263)
        let sum = header.reduce(0) { $0 + Int($1) }
        put(octal(sum, digits: 6), at: 148)
        header[154] = 0
        return header
    }

    /// The two empty blocks that end an archive. Call once, before committing the file.
    public func finish() throws { try file.write([UInt8](repeating: 0, count: 1024)) }

    private func octal(_ value: Int, digits: Int) -> String {
        let text = String(value, radix: 8)
        return String(repeating: "0", count: digits - text.count) + text
    }
}

/// Finds and reads members of an archive without reading the rest of it.
public final class TarReader {
    public struct Member: Sendable {
        public let name: String
        public let offset: Int
        public let size: Int

        public var bytes: Range<Int> { offset..<(offset + size) }
    }

    public let path: String
    /// The members, in the order of the archive.
    public let members: [Member]
    private let descriptor: Int32
    private let indices: [String: Int]

    /// Reads the headers.
    ///
    /// - Throws: `LoopyError` `.missing` or `.malformed` with the offset of the first bad header.
    public init(_ path: String) throws {
        self.path = path
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw LoopyError.system(.missing, "opening it", path) }
        var members: [Member] = []
        var offset = 0
        var header = [UInt8](repeating: 0, count: 512)
        // Of the next member, where it does not fit a header.
        var longName: String?
        while true {
            let count = header.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress, 512, off_t(offset))
            }
            if count == 512, header.allSatisfy({ $0 == 0 }) { break }
            guard count == 512, TarReader.sumIsRight(header) else {
                close(descriptor)
                throw LoopyError(
                    .malformed, "\(path): no tar header at byte \(offset): cut short or damaged")
            }
            guard let size = Int(TarReader.text(header[124..<136]), radix: 8), size >= 0 else {
                close(descriptor)
                throw LoopyError(
                    .malformed, "\(path): the tar header at byte \(offset) states no size")
            }
            let start = offset + 512
            switch header[156] {
            case 0, UInt8(ascii: "0"):
                let name = longName ?? TarReader.name(header)
                members.append(Member(name: name, offset: start, size: size))
                longName = nil
            case UInt8(ascii: "x"):
                // What Python writes before a member whose time has a fraction, or whose name is long.
                longName = TarReader.extendedName(
                    TarReader.bytes(descriptor, start, count: min(size, 1 << 20)))
            default:
                // Folders, links, remarks on the whole archive.
                longName = nil
            }
            offset = start + (size + 511) / 512 * 512
        }
        self.descriptor = descriptor
        self.members = members
        indices = Dictionary(
            members.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    deinit { close(descriptor) }

    public func contains(_ name: String) -> Bool { indices[name] != nil }

    /// Where a member's bytes are.
    ///
    /// - Throws: `LoopyError` `.missing` when the archive has no such member.
    public func member(_ name: String) throws -> Member {
        guard let index = indices[name] else {
            throw LoopyError(.missing, "\(path): holds no \(name)")
        }
        return members[index]
    }

    /// The bytes of one member, or some of them.
    ///
    /// - Parameter range: from the member's beginning; what is beyond its end is left out.
    /// - Throws: `LoopyError` `.missing` when the archive has no such member.
    public func read(_ name: String, _ range: Range<Int> = 0..<Int.max) throws -> [UInt8] {
        let range = range.clamped(to: 0..<(try member(name).size))
        return try [UInt8](unsafeUninitializedCapacity: range.count) { buffer, filled in
            try read(name, from: range.lowerBound, into: UnsafeMutableRawBufferPointer(buffer))
            filled = range.count
        }
    }

    /// Fills memory with bytes of one member.
    ///
    /// - Parameter start: from the member's beginning.
    /// - Precondition: the member holds so many.
    /// - Throws: `LoopyError` `.missing` when the archive has no such member.
    public func read(
        _ name: String, from start: Int, into memory: UnsafeMutableRawBufferPointer
    ) throws {
        let member = try member(name)
        precondition(start >= 0 && start + memory.count <= member.size)
        var filled = 0
        while filled < memory.count {
            let count = pread(
                descriptor, memory.baseAddress! + filled,  // there, for its count is not 0
                memory.count - filled, off_t(member.offset + start + filled))
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                throw LoopyError(.malformed, "\(path): ends inside \(name)")
            }
            filled += count
        }
    }

    /// Copies one member into another archive, piece by piece.
    ///
    /// - Parameter newName: its name there.
    public func copy(_ name: String, to archive: TarWriter, as newName: String) throws {
        let size = try member(name).size
        let pieceSize = 1 << 20
        try archive.add(newName, size: size) { write in
            for start in stride(from: 0, to: size, by: pieceSize) {
                try write(read(name, start..<(start + pieceSize)))
            }
        }
    }

    /// A member's name; a long one is in two parts.
    private static func name(_ header: [UInt8]) -> String {
        func text(_ range: Range<Int>) -> String {
            String(decoding: header[range].prefix { $0 != 0 }, as: UTF8.self)
        }
        let isPOSIX = Array(header[257..<263]) == Array("ustar".utf8) + [0]
        let folder = isPOSIX ? text(345..<500) : ""
        return (folder.isEmpty ? "" : folder + "/") + text(0..<100)
    }

    /// The name in a POSIX extended header, whose records are "<length> <keyword>=<value>\n".
    private static func extendedName(_ records: [UInt8]) -> String? {
        var rest = records[...]
        while let space = rest.firstIndex(of: 0x20),
            let length = Int(String(decoding: rest[..<space], as: UTF8.self)),
            length > space - rest.startIndex + 1, length <= rest.count
        {
            let record = String(
                decoding: rest[(space + 1)..<(rest.startIndex + length - 1)], as: UTF8.self)
            if record.hasPrefix("path=") { return String(record.dropFirst("path=".count)) }
            rest = rest.dropFirst(length)
        }
        return nil
    }

    /// Some bytes of the file; fewer where it ends.
    private static func bytes(_ descriptor: Int32, _ offset: Int, count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = max(0, pread(descriptor, buffer.baseAddress, count, off_t(offset)))
        }
    }

    /// A number's digits, which end with a zero byte or a space.
    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes.prefix { $0 != 0 && $0 != 0x20 }, as: UTF8.self)
    }

    private static func sumIsRight(_ header: [UInt8]) -> Bool {
        guard let stated = Int(text(header[148..<156]), radix: 8) else { return false }
        let sum = header.enumerated().reduce(0) {
            $0 + ((148..<156).contains($1.offset) ? 32 : Int($1.element))
        }
        return sum == stated
    }
}

import Errors

/// The records of a zip archive that are stored as they are.
///
/// Format: PKWARE's APPNOTE.TXT 6.3, sections 4.3 and 4.5.3 (zip64). Of one file, not encrypted.
struct ZipArchive {
    private struct Record {
        /// The offset of the local header in the file.
        let offset: Int
        let size: Int
        let isPlain: Bool
    }

    private let bytes: UnsafeRawBufferPointer
    private let path: String
    private var records: [String: Record] = [:]
    /// The records, in the archive's order.
    private(set) var names: [String] = []

    /// Reads the list of records.
    ///
    /// - Throws: `LoopyError` `.malformed`.
    init(_ file: MappedFile) throws {
        bytes = file.bytes
        path = file.path
        let (count, start) = try ZipArchive.directory(file)
        guard start <= bytes.count else { throw malformed("its list of records is out of place") }
        var reader = ByteReader(bytes, path: path, position: start)
        for _ in 0..<count { try add(&reader) }
    }

    private func malformed(_ what: String) -> LoopyError {
        LoopyError(.malformed, "\(path): \(what): cut short or damaged; download it again")
    }

    /// How many records there are, and where their list begins.
    private static func directory(_ file: MappedFile) throws -> (count: Int, start: Int) {
        // The last thing in the file, but for a comment of up to 65535 bytes.
        var offset = file.bytes.count - 22
        let lowest = max(0, offset - 65535)
        while offset >= lowest {
            defer { offset -= 1 }
            guard file.bytes[offset] == UInt8(ascii: "P") else { continue }
            var reader = ByteReader(file.bytes, path: file.path, position: offset)
            guard try reader.number(UInt32.self) == 0x0605_4b50 else { continue }
            _ = try reader.take(6)
            let count = try reader.size(UInt16.self)
            _ = try reader.take(4)
            let start = try reader.size(UInt32.self)
            guard try reader.size(UInt16.self) == reader.remaining else { continue }
            return try wideDirectory(file, before: offset) ?? (count, start)
        }
        throw LoopyError(
            .malformed,
            "\(file.path): is a torch archive without its end: the download was cut "
                + "short; download it again")
    }

    /// The same in 64 bits, where the archive has it.
    private static func wideDirectory(
        _ file: MappedFile, before offset: Int
    ) throws -> (count: Int, start: Int)? {
        guard offset >= 20 else { return nil }
        var locator = ByteReader(file.bytes, path: file.path, position: offset - 20)
        guard try locator.number(UInt32.self) == 0x0706_4b50 else { return nil }
        _ = try locator.take(4)
        let position = try locator.size(UInt64.self)
        guard position <= offset else { throw locator.malformed("its end record is out of place") }
        var reader = ByteReader(file.bytes, path: file.path, position: position)
        guard try reader.number(UInt32.self) == 0x0606_4b50 else {
            throw reader.malformed("its end record is missing")
        }
        _ = try reader.take(28)
        let count = try reader.size(UInt64.self)
        _ = try reader.take(8)
        return (count, try reader.size(UInt64.self))
    }

    /// Reads one entry of the list.
    private mutating func add(_ reader: inout ByteReader) throws {
        guard try reader.number(UInt32.self) == 0x0201_4b50 else {
            throw reader.malformed("its list of records is broken")
        }
        _ = try reader.take(4)
        let flags = try reader.number(UInt16.self)
        let method = try reader.number(UInt16.self)
        _ = try reader.take(8)
        var packedSize = try reader.size(UInt32.self)
        var size = try reader.size(UInt32.self)
        let nameLength = try reader.size(UInt16.self)
        let extraLength = try reader.size(UInt16.self)
        let commentLength = try reader.size(UInt16.self)
        _ = try reader.take(8)
        var offset = try reader.size(UInt32.self)
        let name = String(decoding: try reader.take(nameLength), as: UTF8.self)

        // Where 32 bits do not hold a number, the extra fields do, in this order.
        var extra = ByteReader(try reader.take(extraLength), path: path)
        while extra.remaining >= 4 {
            let identifier = try extra.number(UInt16.self)
            var field = ByteReader(try extra.take(try extra.size(UInt16.self)), path: path)
            guard identifier == 1 else { continue }
            if size == 0xffff_ffff { size = try field.size(UInt64.self) }
            if packedSize == 0xffff_ffff { packedSize = try field.size(UInt64.self) }
            if offset == 0xffff_ffff { offset = try field.size(UInt64.self) }
        }
        _ = try reader.take(commentLength)

        let isPlain = method == 0 && flags & 1 == 0 && packedSize == size
        let record = Record(offset: offset, size: size, isPlain: isPlain)
        guard records.updateValue(record, forKey: name) == nil else {
            throw malformed("holds two records named \(name)")
        }
        names.append(name)
    }

    /// The bytes of a record, not copied; nil where there is none of that name.
    ///
    /// - Throws: `LoopyError` `.unsupported` for a compressed one, `.malformed` for one that is not
    ///   where the list says.
    func record(_ name: String) throws -> UnsafeRawBufferPointer? {
        guard let record = records[name] else { return nil }
        guard record.isPlain else {
            throw LoopyError(
                .unsupported,
                "\(path): its record \(name) is compressed or encrypted, which torch "
                    + "does not do; download the original file")
        }
        guard record.offset <= bytes.count else {
            throw malformed("record \(name) is out of place")
        }
        var reader = ByteReader(bytes, path: path, position: record.offset)
        guard try reader.number(UInt32.self) == 0x0403_4b50 else {
            throw malformed("record \(name) is not where it should be")
        }
        _ = try reader.take(22)
        let nameLength = try reader.size(UInt16.self)
        let extraLength = try reader.size(UInt16.self)
        _ = try reader.take(nameLength + extraLength)
        return try reader.take(record.size)
    }
}

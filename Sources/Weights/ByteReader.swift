import Errors

/// Reads little-endian numbers and runs of bytes one after another, and never beyond the end.
struct ByteReader {
    /// Must outlive the reader.
    let bytes: UnsafeRawBufferPointer
    /// The path of the file, for messages.
    let path: String
    var position = 0

    init(_ bytes: UnsafeRawBufferPointer, path: String, position: Int = 0) {
        self.bytes = bytes
        self.path = path
        self.position = position
    }

    var remaining: Int { bytes.count - position }

    /// The next bytes, not copied.
    ///
    /// - Throws: `LoopyError` `.malformed` where fewer are left.
    mutating func take(_ count: Int) throws -> UnsafeRawBufferPointer {
        guard count >= 0, count <= remaining else {
            throw malformed("ends in the middle of something")
        }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<(position + count)])
    }

    mutating func number<Number: FixedWidthInteger & BitwiseCopyable>(
        _ type: Number.Type
    ) throws -> Number {
        Number(littleEndian: try take(MemoryLayout<Number>.size).loadUnaligned(as: Number.self))
    }

    /// A number that says how many or where; one beyond what `Int` holds cannot be right.
    mutating func size<Number: FixedWidthInteger & BitwiseCopyable>(
        _ type: Number.Type
    ) throws -> Int {
        guard let size = Int(exactly: try number(type)), size >= 0 else {
            throw malformed("states a size that no file has")
        }
        return size
    }

    mutating func byte() throws -> UInt8 { try number(UInt8.self) }

    func malformed(_ what: String) -> LoopyError {
        LoopyError(
            .malformed,
            "\(path): \(what) (byte \(position)): cut short or damaged; download it again")
    }
}

import Errors

/// Reads JSON from front to back, keeping only what its caller keeps.
///
/// Foundation's decoders lose the order of members and hide double names, both of which matter in a
/// list of tensors; and a hostile header may be large, so no tree is built.
struct JSONScanner {
    private var reader: ByteReader

    /// - Parameters:
    ///   - bytes: must outlive the scanner.
    ///   - path: the path of the file, for messages.
    init(_ bytes: UnsafeRawBufferPointer, path: String) { reader = ByteReader(bytes, path: path) }

    func malformed(_ what: String) -> LoopyError { reader.malformed("its JSON \(what)") }

    /// The next byte that is no white space, not taken; nil at the end.
    mutating func peek() -> UInt8? {
        while reader.remaining > 0 {
            let byte = reader.bytes[reader.position]
            guard byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 else { return byte }
            reader.position += 1
        }
        return nil
    }

    private mutating func takes(_ character: Unicode.Scalar) -> Bool {
        guard peek() == UInt8(ascii: character) else { return false }
        reader.position += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws {
        guard takes(character) else { throw malformed("lacks a '\(character)'") }
    }

    /// - Parameter member: must read the value that belongs to the key.
    mutating func object(_ member: (inout JSONScanner, String) throws -> Void) throws {
        try expect("{")
        if takes("}") { return }
        repeat {
            let key = try string()
            try expect(":")
            try member(&self, key)
        } while takes(",")
        try expect("}")
    }

    /// - Parameter element: must read one value.
    mutating func array(_ element: (inout JSONScanner) throws -> Void) throws {
        try expect("[")
        if takes("]") { return }
        repeat { try element(&self) } while takes(",")
        try expect("]")
    }

    /// A whole number that is not negative.
    mutating func integer() throws -> Int {
        _ = peek()
        var value = 0
        let start = reader.position
        while reader.remaining > 0, case let byte = reader.bytes[reader.position],
            (0x30...0x39).contains(byte)
        {
            let (tens, tooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow) = tens.addingReportingOverflow(Int(byte) - 0x30)
            guard !tooLarge, !overflow else { throw malformed("has a number that is too large") }
            value = sum
            reader.position += 1
        }
        guard reader.position > start else { throw malformed("lacks a whole number") }
        return value
    }

    mutating func string() throws -> String {
        try expect("\"")
        var text: [UInt8] = []
        while true {
            let byte = try reader.byte()
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw malformed("has a string that is not UTF-8")
                }
                return string
            case UInt8(ascii: "\\"): try text.append(contentsOf: escaped())
            case 0..<0x20: throw malformed("has a control character in a string")
            default: text.append(byte)
            }
        }
    }

    /// What stands for the characters after a backslash.
    private mutating func escaped() throws -> [UInt8] {
        let byte = try reader.byte()
        switch byte {
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0c]
        case UInt8(ascii: "n"): return [0x0a]
        case UInt8(ascii: "r"): return [0x0d]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            // Characters beyond 16 bits are written as two halves.
            if (0xd800..<0xdc00).contains(code) {
                guard try reader.byte() == UInt8(ascii: "\\"),
                    try reader.byte() == UInt8(ascii: "u"),
                    case let low = try hexadecimal(), (0xdc00..<0xe000).contains(low)
                else { throw malformed("has half a character") }
                code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw malformed("has half a character") }
            return Array(String(Character(scalar)).utf8)
        default: throw malformed("has an unknown escape in a string")
        }
    }

    private mutating func hexadecimal() throws -> UInt32 {
        let digits = String(decoding: try reader.take(4), as: UTF8.self)
        guard digits.allSatisfy(\.isHexDigit), let code = UInt32(digits, radix: 16) else {
            throw malformed("has an unknown escape in a string")
        }
        return code
    }

    /// Passes over one value of any kind.
    mutating func skip(depth: Int = 0) throws {
        guard depth < 64 else { throw malformed("is nested too deeply") }
        switch peek() {
        case UInt8(ascii: "{"): try object { scanner, _ in try scanner.skip(depth: depth + 1) }
        case UInt8(ascii: "["): try array { scanner in try scanner.skip(depth: depth + 1) }
        case UInt8(ascii: "\""): _ = try string()
        default: _ = try word()
        }
    }

    /// A number, or `true`, `false` or `null`: whatever stands before the next mark of structure.
    mutating func word() throws -> String {
        _ = peek()
        let start = reader.position
        while reader.remaining > 0,
            case let byte = Unicode.Scalar(reader.bytes[reader.position]),
            byte.isASCII,
            byte.properties.isAlphabetic || "0123456789+-.".unicodeScalars.contains(byte)
        {
            reader.position += 1
        }
        guard reader.position > start else { throw malformed("lacks a value") }
        return String(decoding: reader.bytes[start..<reader.position], as: UTF8.self)
    }

    /// - Throws: `LoopyError` `.malformed` where anything but white space is left.
    mutating func end() throws {
        guard peek() == nil else { throw malformed("has something after its end") }
    }
}

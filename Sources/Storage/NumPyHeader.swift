import Errors

/// What stands at the head of a .npy file, format version 1.0: the type and the shape of its values.
/// Written before values that are produced in pieces.
public struct NumPyHeader: Sendable, Equatable {
    /// The type in NumPy's words: byte order, kind and bytes of a value, such as "<f2" for float16.
    public var type: String
    /// Lengths of the axes. Values are in C order: the last axis varies fastest.
    public var shape: [Int]

    /// No header is longer: its length is a number of 16 bits.
    public static let longest = 10 + Int(UInt16.max)

    public init(type: String, shape: [Int]) {
        self.type = type
        self.shape = shape
    }

    /// The header's bytes: as `numpy.save` pads them, the values start at a multiple of 64.
    public func encoded() -> [UInt8] {
        let axes = shape.map(String.init).joined(separator: ", ")
        let tuple = shape.count == 1 ? "(\(axes),)" : "(\(axes))"
        var header = "{'descr': '\(type)', 'fortran_order': False, 'shape': \(tuple), }"
        let unpadded = 10 + header.utf8.count + 1
        header += String(repeating: " ", count: (64 - unpadded % 64) % 64) + "\n"
        var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0]
        bytes += [UInt8(header.utf8.count & 0xff), UInt8(header.utf8.count >> 8)]
        return bytes + Array(header.utf8)
    }

    /// Bytes of the whole file: this header and the values; nil when they are more than a number
    /// holds, or the values are no numbers.
    public var fileSize: Int? {
        guard let size = valueBytes else { return nil }
        let (sum, overflow) = size.addingReportingOverflow(encoded().count)
        return overflow ? nil : sum
    }

    /// Bytes of the values alone.
    var valueBytes: Int? {
        let letters = type.drop { "<>|=".contains($0) }
        guard let kind = letters.first, "biufc".contains(kind),
            let size = Int(letters.dropFirst()), size >= 0
        else { return nil }
        var total = size
        for length in shape {
            let (product, overflow) = total.multipliedReportingOverflow(by: length)
            if overflow { return nil }
            total = product
        }
        return total
    }

    /// Reads the header at the head of a file's bytes, and where the values start.
    ///
    /// - Parameter name: says which member or file it was.
    /// - Throws: `LoopyError` `.malformed`, also where the first axis is not the slowest.
    public static func decode(
        _ bytes: [UInt8], name: String
    ) throws -> (header: NumPyHeader, start: Int) {
        func malformed(_ what: String) -> LoopyError {
            LoopyError(.malformed, "\(name): not a .npy file (\(what))")
        }
        guard bytes.count >= 10, bytes[0] == 0x93, Array(bytes[1..<6]) == Array("NUMPY".utf8)
        else { throw malformed("no magic number") }
        let length = Int(bytes[8]) | Int(bytes[9]) << 8
        guard bytes[6] == 1 else { throw malformed("format version \(bytes[6]), not 1") }
        guard bytes.count >= 10 + length else { throw malformed("header cut short") }
        let text = bytes[10..<(10 + length)]
        // Headers are read for every clip of a training: searching bytes is quicker than searching text.
        func beyond(_ word: String) -> Int? {
            let word = Array(word.utf8)
            return text.indices.first { text[$0...].starts(with: word) }.map { $0 + word.count }
        }
        // What stands between two words.
        func value(from start: String, to end: Unicode.Scalar) -> String? {
            guard let start = beyond(start),
                let end = text[start...].firstIndex(of: UInt8(ascii: end))
            else { return nil }
            return String(decoding: text[start..<end], as: UTF8.self)
        }
        guard let type = value(from: "'descr': '", to: "'"), !type.isEmpty,
            let axes = value(from: "'shape': (", to: ")"),
            beyond("'fortran_order': False") != nil
        else { throw malformed("header not understood") }
        // One axis is written "(3,)", none "()".
        let texts = axes.split(separator: ",").map { $0.drop { $0 == " " } }
        let shape = texts.compactMap { Int($0) }
        guard shape.count == texts.count, shape.allSatisfy({ $0 >= 0 }) else {
            throw malformed("shape not understood")
        }
        return (NumPyHeader(type: type, shape: shape), 10 + length)
    }
}

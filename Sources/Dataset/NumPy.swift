import Foundation

/// A float32 array and its shape: a .npy file, read by `numpy.load` unchanged.
public struct NumPyArray: Sendable, Equatable {
    public var shape: [Int]
    /// In C order: the last axis varies fastest.
    public var values: [Float]

    public init(shape: [Int], values: [Float]) {
        precondition(shape.reduce(1, *) == values.count, "the shape does not fit the values")
        self.shape = shape
        self.values = values
    }

    /// The whole file, format version 1.0, little-endian.
    public func encoded() -> [UInt8] {
        let axes = shape.map(String.init).joined(separator: ", ")
        let tuple = shape.count == 1 ? "(\(axes),)" : "(\(axes))"
        var header = "{'descr': '<f4', 'fortran_order': False, 'shape': \(tuple), }"
        // The values start at a multiple of 64 bytes.
        let unpadded = 10 + header.utf8.count + 1
        header += String(repeating: " ", count: (64 - unpadded % 64) % 64) + "\n"
        var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0]
        bytes += [UInt8(header.utf8.count & 0xff), UInt8(header.utf8.count >> 8)]
        bytes += Array(header.utf8)
        values.withUnsafeBytes { bytes.append(contentsOf: $0) }
        return bytes
    }

    /// - Throws: `DatasetError` `.malformed`; `name` says which member or file it was.
    public init(decoding bytes: [UInt8], name: String) throws {
        let (descriptor, shape, start) = try NumPyArray.header(of: bytes, name: name)
        let count = (bytes.count - start) / 4
        guard descriptor == "<f4", bytes.count == start + count * 4,
            NumPyArray.product(shape) == count
        else {
            throw DatasetError(
                .malformed, "\(name): not a float32 array of \(shape) (found '\(descriptor)')")
        }
        self.shape = shape
        values = [Float](unsafeUninitializedCapacity: count) { buffer, filled in
            bytes.withUnsafeBytes { source in
                UnsafeMutableRawBufferPointer(buffer).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: source[start...]))
            }
            filled = count
        }
    }

    /// Element type, shape, and where the values start.
    public static func header(
        of bytes: [UInt8], name: String
    ) throws -> (type: String, shape: [Int], start: Int) {
        func malformed(_ what: String) -> DatasetError {
            DatasetError(.malformed, "\(name): not a .npy file (\(what))")
        }
        guard bytes.count >= 10, bytes[0] == 0x93, Array(bytes[1..<6]) == Array("NUMPY".utf8)
        else { throw malformed("no magic number") }
        let length = Int(bytes[8]) | Int(bytes[9]) << 8
        guard bytes[6] == 1 else { throw malformed("format version \(bytes[6]), not 1") }
        guard bytes.count >= 10 + length else { throw malformed("header cut short") }
        let text = String(decoding: bytes[10..<(10 + length)], as: UTF8.self)
        guard
            let type = text.firstMatch(of: /'descr': '([^']+)'/)?.1,
            let axes = text.firstMatch(of: /'shape': \(([^)]*)\)/)?.1,
            text.contains("'fortran_order': False")
        else { throw malformed("header not understood") }
        // One axis is written "(3,)", none "()".
        let texts = axes.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        let shape = texts.compactMap { Int($0) }
        guard shape.count == texts.count, shape.allSatisfy({ $0 >= 0 }) else {
            throw malformed("shape not understood")
        }
        return (String(type), shape, 10 + length)
    }

    /// Nil where it is beyond what a number holds: no file is that large.
    private static func product(_ shape: [Int]) -> Int? {
        shape.reduce(Optional(1)) { product, length in
            guard let product else { return nil }
            let (result, overflow) = product.multipliedReportingOverflow(by: length)
            return overflow ? nil : result
        }
    }
}

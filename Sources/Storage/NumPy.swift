import Errors

/// How a .npy file holds numbers, of those that Loopy reads and writes: little-endian.
public enum NumPyElement: String, Sendable, CaseIterable {
    case float32 = "<f4"
    case float16 = "<f2"
    case int16 = "<i2"

    /// The bytes of values, rounded to the nearest of this type. What is beyond the range of float16
    /// becomes infinite, as in NumPy; what is beyond that of int16 becomes its end, and no number 0.
    public func encode(_ values: [Float]) -> [UInt8] {
        switch self {
        case .float32: Self.bytes(values)
        case .float16: Self.bytes(values.map { Float16($0) })
        case .int16:
            Self.bytes(
                values.map { $0.isNaN ? 0 : Int16(max(-32768, min(32767, $0.rounded()))) })
        }
    }

    /// The values of bytes of this type, whose count must be a multiple of its size.
    func decode(_ bytes: ArraySlice<UInt8>) -> [Float] {
        switch self {
        case .float32: Self.values(bytes)
        case .float16: Self.values(bytes).map { (value: Float16) in Float(value) }
        case .int16: Self.values(bytes).map { (value: Int16) in Float(value) }
        }
    }

    private static func bytes(_ values: [some BitwiseCopyable]) -> [UInt8] {
        values.withUnsafeBytes { Array($0) }
    }

    private static func values<Value: BitwiseCopyable>(_ bytes: ArraySlice<UInt8>) -> [Value] {
        let count = bytes.count / MemoryLayout<Value>.size
        return [Value](unsafeUninitializedCapacity: count) { buffer, filled in
            bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(buffer).copyMemory(from: $0) }
            filled = count
        }
    }
}

/// An array of numbers and its shape: a .npy file, read by `numpy.load` unchanged.
public struct NumPyArray: Sendable, Equatable {
    public var shape: [Int]
    /// The values in C order: the last axis varies fastest.
    public var values: [Float]

    public init(shape: [Int], values: [Float]) {
        precondition(shape.reduce(1, *) == values.count, "the shape does not fit the values")
        self.shape = shape
        self.values = values
    }

    /// The whole file.
    public func encoded(as element: NumPyElement = .float32) -> [UInt8] {
        NumPyHeader(type: element.rawValue, shape: shape).encoded() + element.encode(values)
    }

    /// - Throws: `LoopyError` `.malformed`; `name` says which member or file it was.
    public init(decoding bytes: [UInt8], name: String) throws {
        let (header, start) = try NumPyHeader.decode(bytes, name: name)
        guard let element = NumPyElement(rawValue: header.type) else {
            let known = NumPyElement.allCases.map { "\($0)" }.joined(separator: ", ")
            throw LoopyError(.malformed, "\(name): values of '\(header.type)', not \(known)")
        }
        guard header.valueBytes == bytes.count - start else {
            throw LoopyError(
                .malformed,
                "\(name): \(bytes.count - start) bytes are not \(element) values of \(header.shape)"
            )
        }
        shape = header.shape
        values = element.decode(bytes[start...])
    }
}

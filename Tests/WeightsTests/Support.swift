import Errors
import Foundation
import Testing
import Weights

let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Fixtures/"

/// What torch found in a fixture: Fixtures/make_fixtures.py.
struct Expected: Decodable {
    let name: String
    let type: String
    let shape: [Int]
    let strides: [Int]
    /// In row-major order, hexadecimal.
    let bytes: String

    static func tensors(of fixture: String) throws -> [Expected] {
        let data = try Data(contentsOf: URL(fileURLWithPath: fixtures + "expected.json"))
        let all = try JSONDecoder().decode([String: [Expected]].self, from: data)
        return try #require(all[fixture])
    }
}

/// Calls `body` with a folder of its own, which is gone afterwards.
func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let path = FileManager.default.temporaryDirectory.path + "/loopy-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

func bytes(of path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path)))
}

func write(_ bytes: some Collection<UInt8>, _ path: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path))
}

/// Opens bytes as a file, whose name must not matter.
func checkpoint(of bytes: some Collection<UInt8>) throws -> Checkpoint {
    try withFolder { folder in
        try write(bytes, folder + "/weights")
        return try Checkpoint(folder + "/weights")
    }
}

/// The error of opening bytes as a file.
func errorOfOpening(
    _ bytes: some Collection<UInt8>, sourceLocation: SourceLocation = #_sourceLocation
) -> LoopyError? {
    #expect(throws: LoopyError.self, sourceLocation: sourceLocation) {
        try checkpoint(of: bytes)
    }
}

extension StoredTensor {
    /// In row-major order.
    var copied: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count * type.size) { buffer, filled in
            copy(to: UnsafeMutableRawBufferPointer(buffer))
            filled = buffer.count
        }
    }
}

func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}

func littleEndian(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian, Array.init)
}

/// A safetensors file of any header.
func safeTensors(_ header: String, elements: Int) -> [UInt8] {
    littleEndian(UInt64(header.utf8.count)) + Array(header.utf8)
        + [UInt8](repeating: 0, count: elements)
}

/// A file in torch's older format whose object is any pickle.
///
/// - Parameter hasStorage: whether a storage "0" of six floats follows; tensors must then use it.
func legacy(_ pickle: [UInt8], hasStorage: Bool = true) -> [UInt8] {
    let magic: [UInt8] = [
        0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e,
    ]
    let version: [UInt8] = [0x80, 2, 0x4d, 0xe9, 0x03, 0x2e]
    let facts = [0x80, 2] + Array("}.".utf8)
    let keys = hasStorage ? text("0") + Array("a.".utf8) : Array(".".utf8)
    let storage = littleEndian(Int64(6)) + [UInt8](repeating: 0, count: 24)
    return magic + version + facts + [0x80, 2] + pickle + [0x80, 2] + Array("]".utf8) + keys
        + (hasStorage ? storage : [])
}

/// Pickle: pushes a text.
func text(_ text: String) -> [UInt8] {
    Array("X".utf8) + littleEndian(UInt32(text.utf8.count)) + Array(text.utf8)
}

/// Pickle: pushes a tuple of numbers.
func tuple(_ numbers: [Int]) -> [UInt8] {
    Array("(".utf8) + numbers.flatMap { [0x8a, 8] + littleEndian(Int64($0)) } + Array("t".utf8)
}

/// Pickle: pushes a tensor on the storage "0".
func tensor(offset: Int = 0, shape: [Int], strides: [Int], count: Int = 6) -> [UInt8] {
    Array("ctorch._utils\n_rebuild_tensor\n((".utf8) + text("storage")
        + Array("ctorch\nFloatStorage\n".utf8) + text("0") + text("cpu") + number(count)
        + Array("NtQ".utf8) + number(offset) + tuple(shape) + tuple(strides) + Array("tR".utf8)
}

/// Pickle: pushes a number.
func number(_ number: Int) -> [UInt8] { [0x8a, 8] + littleEndian(Int64(number)) }

/// Pickle: a dictionary with one entry, and the end.
func dictionary(_ key: [UInt8], _ value: [UInt8]) -> [UInt8] {
    Array("}".utf8) + key + value + Array("s.".utf8)
}

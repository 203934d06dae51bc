import Errors
import Foundation
import Storage
import Testing

@Suite struct NumPyTests {
    /// An array as numpy.save wrote it: Fixtures/make_numpy.py.
    private struct Saved: Decodable {
        let shape: [Int]
        let type: String
        let bytes: Data
    }

    private static let saved: [String: Saved] = {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Fixtures/numpy.json")
        guard let data = try? Data(contentsOf: path),
            let saved = try? JSONDecoder().decode([String: Saved].self, from: data)
        else { return [:] }
        return saved
    }()

    private func saved(_ name: String) throws -> Saved { try #require(Self.saved[name]) }

    private static let arrays: [(name: String, values: [Float])] = [
        ("scalar", [1.5]), ("one", [0, 0.25, 0.5, 0.75, 1]), ("empty", []),
        ("two", [1, -2, 3.25, 0, 1e-30, 65504]),
        ("three", (0..<24).map { Float($0) * 0.1 }),
        // The nearest that float16 has.
        ("half", [0.099975586, -2048, 65504, 5.9604645e-08, -0.0, .infinity]),
        ("short", [0, 1, -32768, 32767]),
    ]

    @Test(arguments: arrays)
    func writesTheBytesThatNumPyWrites(name: String, values: [Float]) throws {
        let saved = try saved(name)
        let array = NumPyArray(shape: saved.shape, values: values)
        let element = try #require(NumPyElement(rawValue: saved.type))
        #expect(array.encoded(as: element) == Array(saved.bytes))
    }

    /// Values are rounded to the nearest; ties to the even one.
    @Test func roundsAsNumPyDoes() throws {
        let bytes = NumPyElement.float16.encode([0.1, -2049, 65519, 65520, 6e-8, 2e-8, .nan])
        let halves = NumPyHeader(type: "<f2", shape: [7]).encoded() + bytes
        let values = try NumPyArray(decoding: halves, name: "x").values
        #expect(
            values.dropLast() == [0.099975586, -2048, 65504, .infinity, 5.9604645e-08, 0])
        #expect(values.last?.isNaN == true)
        let shorts = NumPyElement.int16.encode([1.5, -40000, 40000, .nan])
        #expect(shorts == [2, 0, 0, 0x80, 0xff, 0x7f, 0, 0])
    }

    /// What a member's size is announced by, before its values are made.
    @Test(arguments: arrays.map(\.name) + ["double", "integer", "big_endian"])
    func headersKnowTheSizeOfTheFile(name: String) throws {
        let saved = try saved(name)
        let header = NumPyHeader(type: saved.type, shape: saved.shape)
        #expect(saved.bytes.starts(with: header.encoded()))
        #expect(header.fileSize == saved.bytes.count)
    }

    @Test func sizesBeyondNumbersAreNone() {
        #expect(NumPyHeader(type: "<f2", shape: [1 << 40, 1 << 30]).fileSize == nil)
        #expect(NumPyHeader(type: "<f2", shape: [Int.max / 2]).fileSize == nil)
        #expect(NumPyHeader(type: "<U3", shape: [1]).fileSize == nil)
    }

    @Test(arguments: arrays)
    func readsWhatNumPyWrote(name: String, values: [Float]) throws {
        let saved = try saved(name)
        let array = try NumPyArray(decoding: Array(saved.bytes), name: name)
        #expect(array.shape == saved.shape)
        #expect(array.values == values)
    }

    @Test(arguments: ["scalar", "one", "empty", "two", "double", "half", "integer", "big_endian"])
    func readsHeadersOfAnyElementType(name: String) throws {
        let saved = try saved(name)
        let (header, start) = try NumPyHeader.decode(Array(saved.bytes), name: name)
        #expect(header == NumPyHeader(type: saved.type, shape: saved.shape))
        #expect(start == 128)
    }

    @Test(arguments: ["double", "integer", "big_endian", "columns_first"])
    func refusesOtherLayoutsByName(name: String) throws {
        let saved = try saved(name)
        let error = #expect(throws: LoopyError.self) {
            try NumPyArray(decoding: Array(saved.bytes), name: "clip.npy")
        }
        #expect(error?.category == .malformed)
        #expect(error?.message.hasPrefix("clip.npy: ") == true)
    }

    private func file(shape: String, values: Int, version: UInt8 = 1) -> [UInt8] {
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': \(shape), }\n"
        return [0x93] + Array("NUMPY".utf8) + [version, 0, UInt8(header.utf8.count), 0]
            + Array(header.utf8) + [UInt8](repeating: 0, count: values * 4)
    }

    @Test(arguments: [
        "(-1,)", "(-2, -2)", "(two,)", "(4, two)", "(9223372036854775807, 3)",
        "(99999999999999999999999,)", "(5,)", "(3,)", "[4]",
    ])
    func refusesShapesThatCannotBe(shape: String) throws {
        let error = #expect(throws: LoopyError.self) {
            try NumPyArray(decoding: file(shape: shape, values: 4), name: "clip.npy")
        }
        #expect(error?.category == .malformed)
        #expect(error?.message.hasPrefix("clip.npy: ") == true)
    }

    @Test func refusesFilesThatAreCutOrSomethingElse() throws {
        let whole = file(shape: "(4,)", values: 4)
        #expect(try NumPyArray(decoding: whole, name: "x").values == [0, 0, 0, 0])
        for length in [0, 5, 9, 10, 40, whole.count - 1] {
            #expect(throws: LoopyError.self, "cut after \(length) bytes") {
                try NumPyArray(decoding: Array(whole[..<length]), name: "x")
            }
        }
        #expect(throws: LoopyError.self) { try NumPyArray(decoding: whole + [0], name: "x") }
        let error = #expect(throws: LoopyError.self) {
            try NumPyArray(decoding: file(shape: "(4,)", values: 4, version: 2), name: "x")
        }
        #expect(error?.description.contains("version 2") == true)
    }
}

import Dataset
import Foundation
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
    ]

    @Test(arguments: arrays)
    func writesTheBytesThatNumPyWrites(name: String, values: [Float]) throws {
        let saved = try saved(name)
        let array = NumPyArray(shape: saved.shape, values: values)
        #expect(array.encoded() == Array(saved.bytes))
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
        let header = try NumPyArray.header(of: Array(saved.bytes), name: name)
        #expect(header.shape == saved.shape)
        #expect(header.type == saved.type)
        #expect(header.start == 128)
    }

    @Test(arguments: ["double", "half", "integer", "big_endian", "columns_first"])
    func refusesOtherLayoutsByName(name: String) throws {
        let saved = try saved(name)
        let error = #expect(throws: DatasetError.self) {
            try NumPyArray(decoding: Array(saved.bytes), name: "clip.npy")
        }
        #expect(error?.code == .malformed)
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
        let error = #expect(throws: DatasetError.self) {
            try NumPyArray(decoding: file(shape: shape, values: 4), name: "clip.npy")
        }
        #expect(error?.code == .malformed)
        #expect(error?.message.hasPrefix("clip.npy: ") == true)
    }

    @Test func refusesFilesThatAreCutOrSomethingElse() throws {
        let whole = file(shape: "(4,)", values: 4)
        #expect(try NumPyArray(decoding: whole, name: "x").values == [0, 0, 0, 0])
        for length in [0, 5, 9, 10, 40, whole.count - 1] {
            #expect(throws: DatasetError.self, "cut after \(length) bytes") {
                try NumPyArray(decoding: Array(whole[..<length]), name: "x")
            }
        }
        #expect(throws: DatasetError.self) { try NumPyArray(decoding: whole + [0], name: "x") }
        let error = #expect(throws: DatasetError.self) {
            try NumPyArray(decoding: file(shape: "(4,)", values: 4, version: 2), name: "x")
        }
        #expect(error?.message.contains("version 2") == true)
    }
}

import Errors
import Foundation
import Testing
import Weights

@Suite struct SafeTensorsWriterTests {
    private func written(
        _ entries: [SafeTensors.Entry], metadata: [String: String] = [:]
    ) throws -> [UInt8] {
        var file: [UInt8] = []
        try SafeTensors.write(entries, metadata: metadata) { file += $0 }
        return file
    }

    private func entry(
        _ name: String, _ type: ElementType, shape: [Int], _ bytes: [UInt8]
    ) -> SafeTensors.Entry {
        SafeTensors.Entry(name, type, shape: shape) { body in try bytes.withUnsafeBytes(body) }
    }

    @Test func writesTheBytesThatPythonWrites() throws {
        let golden = try bytes(of: fixtures + "types.safetensors")
        let checkpoint = try Checkpoint(fixtures + "types.safetensors")
        // Neither the order of the caller nor what the bytes came from matters.
        for names in [checkpoint.names, checkpoint.names.sorted(), checkpoint.names.reversed()] {
            let entries = try names.map { name in
                let tensor = try #require(checkpoint.tensor(name))
                return SafeTensors.Entry(
                    name, tensor.type, shape: tensor.shape, bytes: tensor.bytes)
            }
            #expect(try written(entries, metadata: checkpoint.metadata) == golden)
        }
    }

    @Test func writesAHeaderOfAMultipleOf8Bytes() throws {
        let file = try written([entry("a", .int16, shape: [1, 2], [1, 0, 2, 0])])
        let header = #"{"a":{"dtype":"I16","shape":[1,2],"data_offsets":[0,4]}}"#
        #expect(header.utf8.count == 56)
        #expect(file == littleEndian(UInt64(56)) + Array(header.utf8) + [1, 0, 2, 0])
        let longer = try written([entry("ab", .int16, shape: [1, 2], [1, 0, 2, 0])])
        #expect(longer.prefix(8) == littleEndian(UInt64(64))[...])
        #expect(longer[65..<72].allSatisfy { $0 == 0x20 })
    }

    @Test func readsBackWhatItWrote() throws {
        let name = "a \"b\"\\\u{1}\u{1f}\n\r\t\u{8}\u{c}/é😀\u{7f}"
        let metadata = ["z": "1", "a": name, "": ""]
        let file = try written(
            [
                entry(name, .uint8, shape: [3], [1, 2, 3]), entry("", .float32, shape: [0, 5], []),
                entry("scalar", .bfloat16, shape: [], [4, 5]),
            ], metadata: metadata)
        let checkpoint = try checkpoint(of: file)
        #expect(checkpoint.metadata == metadata)
        #expect(checkpoint.names == ["", "scalar", name])
        #expect(checkpoint.tensor(name)?.copied == [1, 2, 3])
        #expect(checkpoint.tensor("scalar")?.copied == [4, 5])
        #expect(checkpoint.tensor("")?.shape == [0, 5])
        #expect(try self.checkpointIsEmpty(written([])))
    }

    private func checkpointIsEmpty(_ file: [UInt8]) throws -> Bool {
        try checkpoint(of: file).names.isEmpty
    }

    @Test func fetchesEachTensorWhenItsTurnComes() throws {
        var events: [String] = []
        let entries = ["b", "a"].map { name in
            SafeTensors.Entry(name, .uint8, shape: [1]) { body in
                events.append("fetch \(name)")
                try [UInt8](repeating: 0, count: 1).withUnsafeBytes(body)
                events.append("free \(name)")
            }
        }
        try SafeTensors.write(entries) { events.append("write \($0.count)") }
        #expect(
            events == [
                "write 120", "fetch a", "write 1", "free a", "fetch b", "write 1", "free b",
            ])
    }

    @Test func refusesWhatMakesNoFile() {
        let one = entry("a", .uint8, shape: [1], [0])
        for entries in [
            [one, one], [entry("__metadata__", .uint8, shape: [1], [0])],
            [entry("a", .float32, shape: [1], [0])], [entry("a", .uint8, shape: [-1], [])],
            [entry("a", .uint8, shape: [1 << 62, 4], [])],
        ] {
            let error = #expect(throws: LoopyError.self) { try written(entries) }
            #expect(error?.category == .malformed)
        }
    }

    @Test func passesOnWhatTheSinkThrows() {
        struct DiskFull: Error {}
        #expect(throws: DiskFull.self) {
            try SafeTensors.write([entry("a", .uint8, shape: [1], [0])]) { _ in throw DiskFull() }
        }
    }
}

import Errors
import Testing
import Weights

/// Pickles that no torch writes.
@Suite struct PickleTests {
    private func opened(_ pickle: [UInt8]) throws -> Checkpoint {
        try checkpoint(of: legacy(pickle))
    }

    private func error(_ pickle: [UInt8], hasStorage: Bool = true) -> LoopyError? {
        errorOfOpening(legacy(pickle, hasStorage: hasStorage))
    }

    @Test(arguments: [
        (0, [2, 3], [3, 1]), (0, [3, 2], [1, 3]), (5, [1], [1]), (6, [0], [1]), (0, [], []),
        (5, [], []), (2, [4], [0]), (0, [1, 6], [1 << 62, 1]), (0, [0, 1 << 40], [1, 1]),
    ])
    func tensorsWithinTheirStorageAreRead(offset: Int, shape: [Int], strides: [Int]) throws {
        let tensor = tensor(offset: offset, shape: shape, strides: strides)
        let checkpoint = try opened(dictionary(text("w"), tensor))
        let read = try #require(checkpoint.tensor("w"))
        #expect(read.shape == shape && read.strides == strides)
        #expect(read.copied == [UInt8](repeating: 0, count: shape.reduce(4, *)))
    }

    @Test(arguments: [
        (0, [7], [1]), (1, [2, 3], [3, 1]), (6, [], []), (-1, [1], [1]), (0, [2], [-1]),
        (0, [-1], [1]), (0, [2], []), (0, [2, 1 << 62], [1, 1]), (0, [2], [Int.max]),
        (Int.max, [2], [1]), (0, [3, 3], [Int.max / 2, Int.max / 2]), (0, [1 << 62], [0]),
        (0, [0, 1 << 62, 1 << 62], [1, 1, 1]),
        (0, Array(repeating: 1, count: 65), Array(repeating: 1, count: 65)),
    ])
    func tensorsBeyondTheirStorageAreRefused(offset: Int, shape: [Int], strides: [Int]) {
        let tensor = tensor(offset: offset, shape: shape, strides: strides)
        #expect(error(dictionary(text("w"), tensor))?.category == .malformed)
    }

    @Test func monstrousExpandedViewsAreRefused() {
        let tensor = tensor(shape: [1 << 40], strides: [0])
        #expect(error(dictionary(text("w"), tensor))?.category == .unsupported)
    }

    @Test(arguments: [5, 7, -1, Int.max])
    func storagesMustHaveTheSizeThatIsStated(count: Int) {
        let tensor = tensor(shape: [1], strides: [1], count: count)
        #expect(error(dictionary(text("w"), tensor))?.category == .malformed)
    }

    @Test(arguments: [
        "os\nsystem", "builtins\neval", "torch\nload", "torch._utils\n_rebuild_qtensor",
        "torch.storage\n_load_from_bytes", "torch\nfloat32.__class__", "collections\nCounter",
    ])
    func globalsAreNamedAndRefused(global: String) {
        let error = error(dictionary(text("w"), Array("c\(global)\n".utf8)))
        #expect(error?.category == .refused)
        let name = global.split(separator: "\n").joined(separator: ".")
        #expect(error?.message.contains("asks to run \(name): refused") == true)
        // By texts on the stack, as protocol 4 does.
        let parts = global.split(separator: "\n").flatMap { text(String($0)) }
        #expect(self.error(dictionary(text("w"), parts + [0x93]))?.category == .refused)
    }

    @Test(arguments: [
        ".", "0.", "(.", "}(u.", "}s.", "R.", "}}R.", "}Q.", ")Q.", "Kb.", "h\u{5}.", "t.", "1.",
        "NN.", "ctorch\nFloatStorage\n)R.", "ctorch._utils\n_rebuild_tensor_v2\n)R.",
        "ctorch._utils\n_rebuild_parameter\n)R.", "ctorch.nn", "I1\n.", "P0\n.", "S'a'\n.", "i.",
        "]N}ss.", ")Na.", "}Na.", "N}b.", "]}b.", "(NK", "(}(K\u{1}u.",
        "ccollections\nOrderedDict\n](NNetRR.", "ccollections\nOrderedDict\n]NatR.",
    ])
    func brokenProgramsAreRefused(program: String) {
        #expect(error(Array(program.utf8))?.category != nil)
    }

    @Test func theStackEndsAtItsMark() {
        #expect(error(Array("}N(s.".utf8))?.message.contains("more values than there are") == true)
    }

    @Test func containersThatHoldThemselvesAreRefused() {
        let list = Array("]q\u{0}h\u{0}a.".utf8)
        #expect(error(list, hasStorage: false)?.message.contains("deeper") == true)
    }

    @Test func deepNestsAreRefused() {
        let nest = Array(")".utf8) + [UInt8](repeating: 0x85, count: 1_000_000) + Array(".".utf8)
        #expect(error(nest, hasStorage: false)?.message.contains("deeper") == true)
    }

    @Test func treesThatGrowAtEveryLevelAreRefused() {
        // Each list holds the one before twice.
        let doubling =
            Array("]".utf8) + (0..<30).flatMap { _ in Array("q\u{0}0]h\u{0}ah\u{0}a".utf8) }
        let tree = error(doubling + Array(".".utf8), hasStorage: false)
        #expect(tree?.message.contains("more, deeper") == true)
    }

    @Test func programsThatOnlyGrowAreRefused() {
        for opcode in ["N", "(", "]", ")"] {
            let growing = [UInt8](repeating: Array(opcode.utf8)[0], count: 5_000_000)
            #expect(error(growing)?.message.contains("makes more than") == true, "\(opcode)")
        }
    }

    @Test func longNamesAreRefused() {
        let name = String(repeating: "a", count: 1025)
        let tensor = tensor(shape: [1], strides: [1])
        #expect(error(dictionary(text(name), tensor))?.message.contains("longer names") == true)
        let global = Array("c".utf8) + [UInt8](repeating: 0x61, count: 10_000)
        #expect(error(global)?.message.contains("too great a length") == true)
    }

    @Test func bytesThatAreNotUnicodeAreLatin() throws {
        let key: [UInt8] = Array("U\u{1}".utf8) + [0xe9]
        let tensor = tensor(shape: [1], strides: [1])
        #expect(try opened(dictionary(key, tensor)).names == ["é"])
        let text: [UInt8] = Array("X\u{1}\u{0}\u{0}\u{0}".utf8) + [0xe9]
        #expect(error(dictionary(text, tensor))?.message.contains("not UTF-8") == true)
    }
}

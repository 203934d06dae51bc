import Errors
import Foundation
import Testing
import Torch
import Weights

/// Tensors of checkpoints, and files of tensors.
@Suite struct StoredTensorTests {
    @Test func viewsKeepTheirStrides() throws {
        let views = try fixture("strided.pt")
        let whole = counting(4, 6)
        let transposed = try views("transposed")
        #expect(transposed.isEqual(to: whole.transposed(0, 1)))
        #expect(transposed.strides == [1, 6])
        let gaps = try views("gaps")
        #expect(gaps.shape == [3, 3] && gaps.strides == [6, 2])
        #expect(gaps.floats == [6, 8, 10, 12, 14, 16, 18, 20, 22])
        let expanded = try views("expanded")
        #expect(expanded.shape == [3, 6] && expanded.strides == [0, 1])
        #expect(expanded.isEqual(to: whole[..<1].expanded(3, -1)))
        #expect(try views("scalar").scalar == 15)
        #expect(try views("scalar").shape == [])
        #expect(try views("empty").shape == [0, 6])
    }

    @Test func tensorsThatAreNotAlignedAreCopied() throws {
        let file = try fixture("misaligned.safetensors")
        let isAligned = try ["floats", "doubles", "halves"].map { name in
            let stored = try #require(file.tensor(name))
            return Int(bitPattern: stored.bytes.baseAddress) % stored.type.size == 0
        }
        #expect(isAligned == [false, false, false])
        #expect(try file("first").array(of: UInt8.self) == [1, 2, 3])
        #expect(try file("floats").floats == [0.5, -1, 2, 3])
        #expect(try file("doubles").array(of: Double.self) == [1.25, -7])
        #expect(try file("halves").array(of: Int16.self) == [5, -6])
        for name in file.names {
            let address = try file(name).withBytes { Int(bitPattern: $0.baseAddress) }
            #expect(try address % file(name).type.size == 0)
        }
    }

    @Test func alignedTensorsAreMapped() throws {
        let file = try fixture("functions.safetensors")
        let stored = try #require(file.tensor("linear.x"))
        #expect(Tensor(stored).withBytes { $0.baseAddress } == stored.bytes.baseAddress)
    }

    @Test func theFileStaysMappedForItsTensors() throws {
        let x = try withFolder { folder in
            let path = folder + "/weights"
            try write(["x": counting(1000)], to: path)
            return try Checkpoint(path)("x")
        }
        #expect(x.isEqual(to: counting(1000)))
    }

    @Test func changingATensorChangesNoFile() throws {
        try withFolder { folder in
            let path = folder + "/weights"
            try write(["x": counting(4)], to: path)
            let before = try Data(contentsOf: URL(fileURLWithPath: path))
            let file = try Checkpoint(path)
            let x = try file("x")
            x *= 10.0
            #expect(x.floats == [0, 10, 20, 30])
            // As documented: it is the same memory.
            #expect(try file("x").floats == [0, 10, 20, 30])
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
            #expect(try Checkpoint(path)("x").floats == [0, 1, 2, 3])
        }
    }

    @Test func whatIsWrittenIsReadBack() throws {
        let whole = counting(4, 6)
        var tensors: [String: Tensor] = [
            "view": whole.transposed(0, 1)[1..<3], "number": whole[1, 1], "none": whole[..<0],
            "trained": (whole * 2).requiringGradient(),
            "expanded": whole[0, .newAxis].expanded(2, -1),
        ]
        for type in ElementType.allCases { tensors["\(type)"] = whole.to(type) }
        try withFolder { folder in
            try write(tensors, metadata: ["made by": "a test"], to: folder + "/weights")
            let file = try Checkpoint(folder + "/weights")
            #expect(file.metadata == ["made by": "a test"])
            #expect(Set(file.names) == Set(tensors.keys))
            for (name, tensor) in tensors {
                let read = try file(name)
                #expect(read.isEqual(to: tensor), "\(name)")
                #expect(read.isContiguous, "\(name)")
            }
        }
    }

    @Test func tensorsAreWrittenOneByOne() throws {
        // Each piece is one tensor, whose memory is the tensor's own.
        let tensors = ["a", "b", "c"].map { (name: $0, tensor: counting(100)) }
        var pieces: [UnsafeRawPointer?] = []
        try SafeTensors.write(tensors: tensors) { pieces.append($0.baseAddress) }
        #expect(
            pieces.dropFirst() == ArraySlice(tensors.map { $0.tensor.withBytes(\.baseAddress) }))
    }

    @Test func aNameCanBeWrittenOnce() {
        #expect(throws: LoopyError.self) {
            try SafeTensors.write(tensors: [("a", counting(1)), ("a", counting(1))]) { _ in }
        }
    }

    private func write(
        _ tensors: [String: Tensor], metadata: [String: String] = [:], to path: String
    ) throws {
        var data = Data()
        try SafeTensors.write(
            tensors: tensors.map { ($0.key, $0.value) }, metadata: metadata
        ) { data.append(contentsOf: $0) }
        try data.write(to: URL(fileURLWithPath: path))
    }
}

import Errors
import Testing
import Torch

/// Seeded random numbers.
@Suite struct GeneratorTests {
    @Test func numbersAreThoseOfPyTorch() throws {
        let torch = try fixture("random.safetensors")
        let generator = try Generator(seed: 1234)
        expectEqual(.normal([5, 7], generator: generator), try torch("normal"))
        #expect(Tensor.uniform([9], generator: generator).isEqual(to: try torch("uniform")))
        expectEqual(.normal([3], generator: generator), try torch("few"))
        let integers = Tensor.integers(-3..<1000, [4, 5], generator: generator)
        #expect(integers.isEqual(to: try torch("integers")))
        let order = Tensor.permutation(17, generator: generator)
        #expect(order.isEqual(to: try torch("permutation")))
        expectEqual(
            .normal([20], generator: generator, type: .float64), try torch("double"), within: 1e-12)
        let large = try Generator(seed: 1 << 63 + 5)
        expectEqual(.normal([3], generator: large), try torch("large"))
    }

    @Test func aSeedDeterminesTheNumbers() throws {
        let (a, b) = (try Generator(seed: 7), try Generator(seed: 7))
        #expect(draw(a).isEqual(to: draw(b)))
        #expect(draw(a).isEqual(to: draw(b)))
        #expect(!draw(a).isEqual(to: draw(a)))
        #expect(!draw(try Generator(seed: 8)).isEqual(to: draw(try Generator(seed: 7))))
    }

    @Test func generatorsAreIndependent() throws {
        let (a, b) = (try Generator(seed: 7), try Generator(seed: 7))
        let first = draw(a), second = draw(a)
        #expect(draw(b).isEqual(to: first))
        _ = draw(try Generator(seed: 9))
        #expect(draw(b).isEqual(to: second))
    }

    @Test func aStateIsSavedAndRestored() throws {
        let generator = try Generator(seed: 7)
        // An odd count leaves half of a pair of normal numbers in the state.
        _ = Tensor.normal([3], generator: generator)
        let state = generator.state
        #expect(state.type == .uint8)
        let expected = draw(generator)
        _ = draw(generator)
        try generator.restore(state)
        #expect(draw(generator).isEqual(to: expected))
        // Another generator goes on from there; the bytes may have been in a file.
        let other = try Generator(seed: 0)
        try other.restore(Tensor(state.array(of: UInt8.self)))
        #expect(draw(other).isEqual(to: expected))
    }

    @Test func whatIsNoStateIsSaid() throws {
        let generator = try Generator(seed: 7)
        for state in [Tensor.zeros([10], type: .uint8), .zeros([5056]), .zeros([0])] {
            let error = #expect(throws: LoopyError.self) { try generator.restore(state) }
            #expect(error?.category == .mismatch)
            #expect(error?.message.hasPrefix("restoring a random generator's state: ") == true)
        }
        // It still works, as if nothing had been.
        #expect(draw(generator).isEqual(to: draw(try Generator(seed: 7))))
    }

    @Test func damagedStateIsSaid() throws {
        let generator = try Generator(seed: 7)
        let state = Tensor.full(generator.state.shape, 255, type: .uint8)
        let error = #expect(throws: LoopyError.self) { try generator.restore(state) }
        #expect(error?.category == .mismatch)
    }

    private func draw(_ generator: Generator) -> Tensor {
        Tensor.normal([4], generator: generator)
    }
}

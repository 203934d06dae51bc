import Dispatch
import Synchronization
import Testing
import Torch

/// Operators of libtorch by their names.
@Suite struct OperatorTests {
    @Test func resultsOfEveryKindComeBack() {
        let x = Tensor([3, 1, 2] as [Float])
        let sorted = Operator("aten::sort").tensors(x)
        #expect(sorted.count == 2)
        #expect(sorted[0].floats == [1, 2, 3])
        #expect(sorted[1].array(of: Int.self) == [1, 2, 0])
        // The first of them alone.
        #expect(Operator("aten::sort")(x).floats == [1, 2, 3])
        // A list.
        #expect(Operator("aten::unbind", "int").tensors(x).map(\.scalar) == [3, 1, 2])
        // Numbers and truth values.
        #expect(Operator("aten::item").number(x[0]) == 3)
        #expect(Operator("aten::equal").number(x, x) == 1)
        #expect(Operator("aten::size", "int").number(x, 0) == 3)
    }

    @Test func resultsThatAreUndefinedAreLeftOut() {
        // Of a layer norm's gradients, those that are not asked for.
        let x = counting(2, 3)
        let one = Tensor.ones([2, 1])
        let results = Operator("aten::native_layer_norm_backward").tensors(
            x, x, [3], one, one, nil as Tensor?, nil as Tensor?, [true, false, false])
        #expect(results.count == 1)
        #expect(results[0].shape == [2, 3])
    }

    @Test func argumentsOfEveryKindArrive() {
        let x = counting(2, 3)
        // Defaults between what is given, a text, nil, a list of numbers, truth values.
        let divided = Operator("aten::div", "Tensor_mode")(x, x + 1, "floor" as StaticString)
        #expect(divided.sum().scalar == 0)
        #expect(Operator("aten::sum", "dim_IntList")(x, [0], true).shape == [1, 3])
        #expect(Operator("aten::sum")(x, ElementType.float64).type == .float64)
        let clamped = Operator("aten::clamp")(x, nil as Double?, 2.0)
        #expect(clamped.amax().scalar == 2)
        let chosen = Operator("aten::index", "Tensor")(x, [nil, Tensor([2, 0])] as [Tensor?])
        #expect(chosen.floats == [2, 0, 5, 3])
        let made = Operator("aten::zeros")(
            [2], ElementType.int16, DefaultArgument(), Device.cpu)
        #expect(made.type == .int16)
        let flags = Operator("aten::histogramdd").tensors(
            counting(4, 1), [2], [0.0, 4.0] as [Double])
        #expect(flags[0].floats == [2, 2])
    }

    @Test func threadsCallTheSameOperators() {
        let sums = Mutex([Int: Double]())
        DispatchQueue.concurrentPerform(iterations: 8) { number in
            var sum = 0.0
            for _ in 0..<200 { sum += (Tensor.arange(0..<100) * number).sum().scalar }
            sums.withLock { $0[number] = sum }
        }
        for number in 0..<8 {
            #expect(sums.withLock { $0[number] } == Double(200 * 4950 * number))
        }
    }

    @Test func anUnknownOperatorTraps() async {
        let name = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) { _ = Operator("aten::no_such") }
        #expect(said(name).contains("aten::no_such: libtorch has no such operator: "))
        let overload = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) { _ = Operator("aten::add", "no_such") }
        #expect(said(overload).contains("aten::add: libtorch has no such operator: "))
    }

    @Test func anExceptionBecomesAMessage() async {
        let shapes = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) { _ = Tensor.zeros([2, 3]).matmul(.zeros([4, 5])) }
        #expect(said(shapes).contains("aten::matmul(float32[2, 3], float32[4, 5]): mat1 and mat2"))
        // No list of C++ functions behind it.
        #expect(!said(shapes).contains("Exception raised from"))

        let missing = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) { _ = Operator("aten::add", "Tensor")(Tensor.zeros([1])) }
        #expect(said(missing).contains("aten::add(float32[1]): argument 'other' must be given"))

        let many = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) { _ = Operator("aten::abs")(Tensor.zeros([1]), 1, 2) }
        #expect(said(many).contains("aten::abs(float32[1], 1, 2): takes 1 arguments, not 3"))

        let kind = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) { _ = Operator("aten::abs")(1) }
        #expect(said(kind).contains("aten::abs(1): "))
    }

    @Test func sparseTensorsAreRefused() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) { _ = Operator("aten::to_sparse")(Tensor.ones([2, 2])) }
        #expect(said(result).contains("gives a sparse or nested tensor"))
    }
}

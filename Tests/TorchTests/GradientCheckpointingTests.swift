import Foundation
import Testing
import Torch

/// Memory for time: nothing else may differ.
@Suite struct GradientCheckpointingTests {
    /// Linear maps with activations between them.
    private struct Layers {
        let layers: [Linear]

        init(seed: UInt64 = 1) throws {
            let store = ParameterStore(drawing: try Generator(seed: seed))
            layers = (0..<4).map { Linear(store.root[$0], 6, 6) }
            for weight in weights { weight.requiringGradient() }
        }

        func callAsFunction(_ x: Tensor) -> Tensor {
            layers.reduce(x) { x, layer in layer(x).gelu() + x }
        }

        var weights: [Tensor] { layers.flatMap { [$0.weight, $0.bias!] } }  // all have one
    }

    private let x = counting(5, 6) / 30 - 0.4

    private func expectSame(
        _ a: [Tensor?], _ b: [Tensor?], sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        #expect(a.count == b.count, sourceLocation: sourceLocation)
        for (a, b) in zip(a, b) {
            let (a, b) = (try #require(a), try #require(b))
            #expect(a.isEqual(to: b), sourceLocation: sourceLocation)
        }
    }

    @Test func resultsAndGradientsAreTheSameBits() throws {
        let (plain, repeated) = (try Layers(), try Layers())
        let (a, b) = (x.copy().requiringGradient(), x.copy().requiringGradient())
        let y = plain(a)
        let z = gradientCheckpointed([b]) { [repeated($0[0])] }[0]
        #expect(y.detached().isEqual(to: z.detached()))
        #expect(z.requiresGradient)
        y.square().sum().backward()
        z.square().sum().backward()
        try expectSame([a.gradient], [b.gradient])
        try expectSame(plain.weights.map(\.gradient), repeated.weights.map(\.gradient))
    }

    @Test func aNetworkWithAttentionIsTheSame() throws {
        let torch = try fixture("training.safetensors")
        let networks = try (0..<2).map { _ in try SmallNetwork(loading: torch) }
        let (x, target) = (try torch("x"), try torch("target"))
        mseLoss(networks[0](x), target).backward()
        let y = gradientCheckpointed([x]) { [networks[1]($0[0])] }[0]
        mseLoss(y, target).backward()
        for (name, weight) in networks[0].weights {
            try expectSame([weight.gradient], [networks[1].weights[name]?.gradient])
        }
    }

    @Test func gradientsAddUpOverPasses() throws {
        let (plain, repeated) = (try Layers(), try Layers())
        for shift in [0.0, 0.3] {
            plain(x + shift).square().sum().backward()
            gradientCheckpointed([x + shift]) { [repeated($0[0])] }[0].square().sum().backward()
        }
        try expectSame(plain.weights.map(\.gradient), repeated.weights.map(\.gradient))
    }

    @Test func aKeptGraphIsUsedAgain() throws {
        let weight = counting(3).requiringGradient()
        let loss = gradientCheckpointed([Tensor.ones([3])]) { [$0[0] * weight.square()] }[0].sum()
        loss.backward(retainGraph: true)
        #expect(weight.gradient?.floats == [0, 2, 4])
        loss.backward()
        #expect(weight.gradient?.floats == [0, 4, 8])
    }

    @Test func weightsLearnWhereNoInputRequiresAGradient() throws {
        let weight = counting(3).requiringGradient()
        let x = Tensor.ones([3])
        gradientCheckpointed([x]) { [$0[0] * weight] }[0].sum().backward()
        #expect(weight.gradient?.floats == [1, 1, 1])
        #expect(x.gradient == nil)
        gradientCheckpointed { [weight * 2] }[0].sum().backward()
        #expect(weight.gradient?.floats == [3, 3, 3])
    }

    @Test func inputsMayBeMissing() throws {
        func gradients(when isEnabled: Bool) -> [Tensor?] {
            let tensors = [3.0, 5, 7].map { Tensor.full([2], $0).requiringGradient() }
            let missing: Tensor? = nil
            let y = gradientCheckpointed(
                when: isEnabled, tensors[0], missing, Optional(tensors[1]),
                [tensors[2], tensors[0]]
            ) { a, missing, b, others in
                #expect(missing == nil && b != nil && others.count == 2)
                return [a * (b ?? a) + others[0] * others[1]]
            }
            y[0].sum().backward()
            return tensors.map(\.gradient)
        }
        for (kept, checkpointed) in zip(gradients(when: false), gradients(when: true)) {
            #expect(try #require(checkpointed).isEqual(to: #require(kept)))
        }
    }

    @Test func whatTheLossDoesNotUseIsLeftOut() throws {
        let (a, b) = (counting(2).requiringGradient(), counting(2).requiringGradient())
        let results = gradientCheckpointed([a, b]) { [$0[0] * 3, $0[1] * 5, $0[0].detached()] }
        #expect(results.count == 3)
        results[0].sum().backward()
        #expect(a.gradient?.floats == [3, 3])
        #expect(b.gradient == nil)

        let unused = gradientCheckpointed([a]) { [$0[0] * 2, $0[0].detached() * 2] }
        unused[1].sum().backward()
        #expect(a.gradient?.floats == [3, 3])
    }

    @Test func integersAndTruthValuesGoThrough() throws {
        let table = counting(4, 2).requiringGradient()
        let indices = Tensor([3, 1, 3]), mask = Tensor([true, false, true])
        let results = gradientCheckpointed([indices, mask]) { inputs in
            let rows = embedding(table, inputs[0])
            let chosen = rows.where(inputs[1].unsqueezed(1), else: rows * 10)
            return [chosen, inputs[0] + 1, inputs[1]]
        }
        #expect(results.map(\.type) == [.float32, .int64, .bool])
        #expect(results.map(\.requiresGradient) == [true, false, false])
        #expect(results[1].array(of: Int.self) == [4, 2, 4])
        #expect(results[2].array(of: Bool.self) == [true, false, true])
        results[0].sum().backward()
        #expect(table.gradient?.floats == [0, 0, 10, 10, 0, 0, 2, 2])
    }

    @Test func inputsAndWeightsMayBeResults() throws {
        let x = counting(2).requiringGradient(), weight = counting(2).requiringGradient()
        let results = gradientCheckpointed([x]) { [$0[0], weight, weight, $0[0][1...]] }
        #expect(results.allSatisfy { $0.requiresGradient })
        (results[0] * 2 + results[1] * 3 + results[2] * 4).sum().backward(retainGraph: true)
        #expect(x.gradient?.floats == [2, 2])
        #expect(weight.gradient?.floats == [7, 7])
        results[3].sum().backward()
        #expect(x.gradient?.floats == [2, 3])
        // The weight is still what it was: a leaf.
        weight.gradient = nil
        (weight * 2).sum().backward()
        #expect(weight.gradient?.floats == [2, 2])
    }

    @Test func gradientsFlowFromBodyToBody() throws {
        let (plain, repeated) = (try Layers(), try Layers())
        let (a, b) = (x.copy().requiringGradient(), x.copy().requiringGradient())
        plain(a * 2).square().sum().backward()
        let y = repeated.layers.reduce(b * 2) { x, layer in
            gradientCheckpointed([x]) { [layer($0[0]).gelu() + $0[0]] }[0]
        }
        y.square().sum().backward()
        try expectSame([a.gradient], [b.gradient])
        try expectSame(plain.weights.map(\.gradient), repeated.weights.map(\.gradient))
    }

    @Test func bodiesNest() throws {
        let (plain, repeated) = (try Layers(), try Layers())
        let (a, b) = (x.copy().requiringGradient(), x.copy().requiringGradient())
        plain(plain(a)).square().sum().backward()
        var runs = 0
        let y = gradientCheckpointed([b]) { outer in
            let middle = gradientCheckpointed([outer[0]]) { inner in
                runs += 1
                return [repeated(inner[0])]
            }
            return [repeated(middle[0])]
        }
        #expect(runs == 1)
        y[0].square().sum().backward()
        #expect(runs == 3)
        try expectSame([a.gradient], [b.gradient])
        // Both halves add to the weights' gradients, in another order.
        for (weight, other) in zip(plain.weights, repeated.weights) {
            let gradient = try #require(weight.gradient)
            expectEqual(try #require(other.gradient), gradient, within: 1e-6)
        }
    }

    @Test func nothingIsRecordedWithoutGradient() throws {
        let x = counting(2).requiringGradient()
        var isRecorded: [Bool] = []
        let y = withoutGradient {
            gradientCheckpointed([x]) { inputs in
                isRecorded.append((inputs[0] * 2).requiresGradient)
                return [inputs[0] * 2]
            }
        }
        #expect(!y[0].requiresGradient)
        let z = gradientCheckpointed([x]) { inputs in
            isRecorded.append((inputs[0] * 2).requiresGradient)
            return [inputs[0] * 2]
        }
        let loss = z[0].sum()
        // The mode at the backward pass does not matter, and is restored.
        withoutGradient {
            loss.backward()
            #expect(!(x * 2).requiresGradient)
        }
        #expect((x * 2).requiresGradient)
        #expect(x.gradient?.floats == [2, 2])
        #expect(isRecorded == [false, false, true])
    }

    @Test(arguments: [ElementType.bfloat16, .float16])
    func autocastIsThatOfTheFirstRun(type: ElementType) throws {
        let (plain, repeated) = (try Layers(), try Layers())
        let (a, b) = (x.copy().requiringGradient(), x.copy().requiringGradient())
        let y = withAutocast(.cpu, type) { plain(a) }
        var types: [ElementType] = []
        let z = withAutocast(.cpu, type) {
            gradientCheckpointed([b]) { inputs in
                types.append(linear(inputs[0], repeated.layers[0].weight).type)
                return [repeated(inputs[0])]
            }[0]
        }
        y.square().sum().backward()
        z.square().sum().backward()
        #expect(types == [type, type])
        #expect(linear(x, x).type == .float32)
        try expectSame([a.gradient], [b.gradient])
        try expectSame(plain.weights.map(\.gradient), repeated.weights.map(\.gradient))
    }

    @Test func plainBodiesStayPlainWithinAutocast() throws {
        var types: [ElementType] = []
        let y = gradientCheckpointed([x.copy().requiringGradient()]) { inputs in
            types.append(linear(inputs[0], x).type)
            return inputs
        }
        withAutocast(.cpu) {
            y[0].sum().backward()
            #expect(linear(x, x).type == .bfloat16)
        }
        #expect(types == [.float32, .float32])
    }

    /// What the second run converts, outside of any autocast, must not be found later on.
    @Test func changedWeightsAreSeenInTheNextStep() throws {
        let weight = counting(6, 6).copy().requiringGradient()  // views are not kept anyway
        let sums = (0..<2).map { _ in
            let y = withAutocast(.cpu) { gradientCheckpointed([x]) { [linear($0[0], weight)] }[0] }
            y.sum().backward()
            withoutGradient { weight *= 2.0 }
            return y.abs().sum().scalar
        }
        #expect(abs(sums[1] / sums[0] - 2) < 1e-2)
    }

    @Test func theBodyIsReleasedWithTheGraph() throws {
        final class Witness {}
        weak var witness: Witness?
        func make() -> Tensor {
            let object = Witness()
            witness = object
            return gradientCheckpointed([counting(2).requiringGradient()]) { inputs in
                withExtendedLifetime(object) { [inputs[0] * 2] }
            }[0]
        }
        var y: Tensor? = make()
        #expect(witness != nil)
        y?.sum().backward()
        y = nil
        #expect(witness == nil)
        _ = withoutGradient { make() }
        #expect(witness == nil)
    }

    @Test func bugsTrapWithTheReason() async {
        let changed = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            _ = gradientCheckpointed([Tensor.ones([2])]) { inputs in
                inputs[0] *= 2.0
                return inputs
            }
        }
        #expect(said(changed).contains("the body changes its input 0 in place"))

        let other = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            var runs = 0
            let y = gradientCheckpointed([Tensor.ones([2]).requiringGradient()]) { inputs in
                runs += 1
                return Array(repeating: inputs[0], count: runs)
            }
            y[0].sum().backward()
        }
        #expect(said(other).contains("the body gave 1 tensors at first and 2 when it ran again"))

        let twice = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let y = gradientCheckpointed([Tensor.ones([2]).requiringGradient()]) { $0 }[0].sum()
            y.backward()
            y.backward()
        }
        #expect(said(twice).contains("the backward pass of float32[]: Trying to backward"))
    }
}

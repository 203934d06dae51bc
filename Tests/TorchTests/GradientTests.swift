import Testing
import Torch

/// Automatic differentiation.
@Suite struct GradientTests {
    @Test func gradientsAgreeWithPyTorch() throws {
        let torch = try fixture("training.safetensors")
        let network = try SmallNetwork(loading: torch)
        let x = try torch("x").requiringGradient()
        let y = network(x)
        expectEqual(y.detached(), try torch("float32.y"))
        let loss = mseLoss(y, try torch("target"))
        expectEqual(loss.detached(), try torch("float32.loss"))
        loss.backward()
        expectEqual(try #require(x.gradient), try torch("float32.gradient.x"), within: 1e-5)
        #expect(network.weights.count == 12)
        for (name, weight) in network.weights where name != "key.bias" {
            let gradient = try #require(weight.gradient)
            expectEqual(gradient, try torch("float32.gradient." + name), within: 1e-5, name)
        }
    }

    @Test func gradientDescentAgreesWithPyTorch() throws {
        let torch = try fixture("training.safetensors")
        let network = try SmallNetwork(loading: torch)
        let (x, target) = (try torch("x"), try torch("target"))
        let losses = (0..<5).map { _ in
            let loss = mseLoss(network(x), target)
            loss.backward()
            withoutGradient {
                for weight in network.weights.values {
                    weight -= weight.gradient! * 0.1  // the loss depends on every weight
                    weight.gradient = nil
                }
            }
            return loss.detached()
        }
        expectEqual(stacked(losses, along: 0), try torch("losses"), within: 1e-5)
    }

    @Test func gradientsAddUp() {
        let x = counting(3).requiringGradient()
        #expect(x.gradient == nil)
        x.square().sum().backward()
        #expect(x.gradient?.floats == [0, 2, 4])
        x.square().sum().backward()
        #expect(x.gradient?.floats == [0, 4, 8])
        x.gradient = nil
        #expect(x.gradient == nil)
        x.gradient = Tensor.ones([3])
        x.square().sum().backward()
        #expect(x.gradient?.floats == [1, 3, 5])
    }

    @Test func whatFlowsInIsGiven() {
        let x = counting(3).requiringGradient()
        (x * 2).backward(Tensor([1, 10, 100] as [Float]))
        #expect(x.gradient?.floats == [2, 20, 200])
    }

    @Test func aKeptGraphIsUsedAgain() {
        let x = counting(2).requiringGradient()
        let loss = x.square().sum()
        loss.backward(retainGraph: true)
        loss.backward()
        #expect(x.gradient?.floats == [0, 4])
    }

    @Test func gradientsGoThroughViewsAndIndices() {
        let x = counting(2, 3).requiringGradient()
        (x[1, 1...] * 3).sum().backward()
        #expect(x.gradient?.floats == [0, 0, 0, 0, 3, 3])
        x.gradient = nil
        let halves = x.transposed(0, 1).chunks(2, along: 0)
        (halves[0].sum() - halves[1].sum()).backward()
        #expect(x.gradient?.floats == [1, 1, -1, 1, 1, -1])
    }

    @Test func aDetachedTensorStopsThem() {
        let x = counting(2).requiringGradient()
        (x.detached() * x).sum().backward()
        #expect(x.gradient?.floats == [0, 1])
        #expect(!x.detached().requiresGradient)
    }

    @Test func nothingIsRecordedWithoutGradient() {
        let x = counting(2).requiringGradient()
        #expect((x * 2).requiresGradient)
        withoutGradient {
            #expect(!(x * 2).requiresGradient)
            withGradient {
                #expect((x * 2).requiresGradient)
                withoutGradient { #expect(!(x * 2).requiresGradient) }
                #expect((x * 2).requiresGradient)
            }
            #expect(!(x * 2).requiresGradient)
        }
        #expect((x * 2).requiresGradient)
        #expect(x.requiresGradient)
        x.requiringGradient(false)
        #expect(!x.requiresGradient)
    }

    @Test func theModeIsRestoredAfterAnError() {
        struct Failure: Error {}
        let x = counting(2).requiringGradient()
        #expect(throws: Failure.self) { try withoutGradient { throw Failure() } }
        #expect((x * 2).requiresGradient)
        withoutGradient {
            #expect(throws: Failure.self) { try withGradient { throw Failure() } }
            #expect(!(x * 2).requiresGradient)
        }
    }

    @Test func bugsTrapWithTheReason() async {
        let vector = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) { Tensor.ones([3]).requiringGradient().square().backward() }
        #expect(said(vector).contains("the backward pass of float32[3]: grad can be implicitly"))

        let integers = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) { Tensor([1, 2]).requiringGradient() }
        #expect(said(integers).contains("requiring a gradient of int64[2]: Only Tensors of"))

        let shape = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) { Tensor.ones([3]).requiringGradient().gradient = .ones([2]) }
        #expect(said(shape).contains("float32[2] is no gradient of float32[3]"))

        let inPlace = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) { Tensor.ones([3]).requiringGradient() += Tensor.ones([3]) }
        #expect(said(inPlace).contains("aten::add_(float32[3], float32[3]): a leaf Variable"))
    }

    @Test(
        "channels last, whatever is trained",
        arguments: [(true, false), (false, true), (true, true)])
    func groupNormOfChannelsLast(trainsInput: Bool, trainsWeights: Bool) throws {
        let generator = try Generator(seed: 3)
        let values = Tensor.normal([2, 8, 5, 6], generator: generator)
        func gradients(_ x: Tensor) -> [Tensor?] {
            let weight = Tensor.ones([8]).requiringGradient(trainsWeights)
            let bias = Tensor.zeros([8]).requiringGradient(trainsWeights)
            x.requiringGradient(trainsInput)
            let y = groupNorm(x, groups: 4, weight, bias, epsilon: 1e-5)
            (y * y.tanh()).sum().backward()
            return [x.gradient, weight.gradient, bias.gradient]
        }
        let expected = gradients(values.copy())
        let found = gradients(values.channelsLast())
        for (a, b) in zip(found, expected) {
            #expect((a == nil) == (b == nil))
            if let a, let b { #expect(relativeError(a, b) < 1e-5) }
        }
        #expect((found[0] != nil) == trainsInput)
        #expect((found[1] != nil) == trainsWeights)
    }
}

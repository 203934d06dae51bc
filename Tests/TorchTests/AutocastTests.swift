import Testing
import Torch

/// Shorter types where they do no harm.
@Suite struct AutocastTests {
    let x = counting(2, 3) / 7, weight = counting(4, 3) / 11

    @Test func matrixProductsAreShort() {
        let plain = linear(x, weight)
        let short = withAutocast(.cpu) { linear(x, weight) }
        #expect(short.type == .bfloat16)
        #expect(relativeError(short, plain) < 1e-2)
        #expect(relativeError(short, plain) > 0)
        let images = counting(1, 1, 4, 4)
        let type = withAutocast(.cpu) { convolution(images, .ones([1, 1, 3, 3])).type }
        #expect(type == .bfloat16)
    }

    @Test func whatNeedsPrecisionIsNot() {
        withAutocast(.cpu) {
            let short = linear(x, weight)
            #expect(mseLoss(short, .zeros([2, 4])).type == .float32)
            #expect((x + x).type == .float32)
        }
    }

    @Test func theTypeCanBeChosen() {
        #expect(withAutocast(.cpu, .float16) { linear(x, weight).type } == .float16)
    }

    @Test func bodiesNestAndEverythingIsRestored() {
        struct Failure: Error {}
        #expect(linear(x, weight).type == .float32)
        withAutocast(.cpu, .float16) {
            withAutocast(.cpu, .bfloat16) {
                #expect(linear(x, weight).type == .bfloat16)
            }
            #expect(linear(x, weight).type == .float16)
            #expect(throws: Failure.self) {
                try withAutocast(.cpu, .bfloat16) { throw Failure() }
            }
            #expect(linear(x, weight).type == .float16)
        }
        #expect(linear(x, weight).type == .float32)
        #expect(throws: Failure.self) { try withAutocast(.cpu) { throw Failure() } }
        #expect(linear(x, weight).type == .float32)
        #expect(withAutocast(.cpu) { linear(x, weight).type } == .bfloat16)
    }

    @Test func changedWeightsAreSeenAfterwards() {
        let weight = weight.copy().requiringGradient()
        let before = withAutocast(.cpu) { linear(x, weight).sum().scalar }
        withoutGradient { weight *= 2.0 }
        let after = withAutocast(.cpu) { linear(x, weight).sum().scalar }
        #expect(abs(after / before - 2) < 1e-2)
    }

    @Test func trainingAgreesWithPyTorch() throws {
        let torch = try fixture("training.safetensors")
        let network = try SmallNetwork(loading: torch)
        let x = try torch("x").requiringGradient()
        let y = try withAutocast(.cpu) {
            let y = network(x)
            mseLoss(y, try torch("target")).backward()
            return y
        }
        #expect(y.type == .bfloat16)
        // Kernels of other processors round elsewhere.
        #expect(relativeError(y.detached(), try torch("bfloat16.y")) < 0.02)
        for (name, weight) in network.weights where name != "key.bias" {
            let gradient = try #require(weight.gradient)
            #expect(gradient.type == .float32)
            let expected = try torch("bfloat16.gradient." + name)
            #expect(relativeError(gradient, expected) < 0.05, "\(name)")
        }
    }

    @Test func aLongTypeTraps() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) { withAutocast(.cpu, .float64) {} }
        #expect(said(result).contains("float64 is not a shorter type"))
    }
}

import Testing
import Torch
import Weights

/// Layers with the weights of PyTorch's, and what those made of the same inputs.
@Suite struct LayerTests {
    /// Every layer, by the name of its weights.
    private struct Every {
        let layers: [(name: String, call: (Tensor) -> Tensor)]

        init(_ scope: Scope) {
            let linear = Linear(scope["linear"], 5, 4)
            let unbiased = Linear(scope["unbiased"], 5, 4, bias: false)
            let convolution1 = Convolution(
                scope["convolution1"], 4, 6, size: [3], stride: [2], padding: [1])
            let convolution2 = Convolution(
                scope["convolution2"], 4, 6, size: [3, 2], padding: [1, 0], groups: 2, bias: false)
            let convolution3 = Convolution(scope["convolution3"], 4, 2, size: [2, 2, 2])
            let layer = LayerNorm(scope["layer"], 5, epsilon: 1e-3)
            let groups = GroupNorm(scope["groups"], groups: 2, 4, epsilon: 1e-3)
            let batch = BatchNorm(scope["batch"], 4, epsilon: 1e-3)
            let embedding = Embedding(scope["embedding"], entries: 7, 3)
            layers = [
                ("linear", { linear($0) }), ("unbiased", { unbiased($0) }),
                ("convolution1", { convolution1($0) }), ("convolution2", { convolution2($0) }),
                ("convolution3", { convolution3($0) }), ("layer", { layer($0) }),
                ("groups", { groups($0) }), ("batch", { batch($0) }),
                ("embedding", { embedding($0) }),
            ]
        }
    }

    @Test func layersAgreeWithPyTorch() throws {
        let every = try ParameterStore.load(fixture("network.safetensors")) { Every($0) }
        let cases = try fixture("layers.safetensors")
        for (name, call) in every.layers {
            expectEqual(call(try cases(name + ".x")), try cases(name + ".y"), name)
        }
        #expect(cases.names.count == 2 * every.layers.count)
    }

    @Test func drawnLayersBeginAsPyTorchs() throws {
        let store = ParameterStore(drawing: try Generator(seed: 1))
        let linear = Linear(store.root["linear"], 400, 300)
        let convolution = Convolution(store.root["convolution"], 8, 64, size: [5, 5], groups: 2)
        let norm = LayerNorm(store.root["norm"], 10)
        let table = Embedding(store.root["table"], entries: 200, 50)
        for (weight, bound) in [(linear.weight, 0.05), (convolution.weight, 0.1)] {
            // Even between ± bound: the deviation is bound / √3.
            #expect(weight.abs().amax().scalar <= bound)
            #expect(abs(weight.mean().scalar) < 0.02 * bound)
            let deviation = weight.variance().scalar.squareRoot() * 3.squareRoot()
            #expect(abs(deviation / bound - 1) < 0.02)
        }
        #expect(abs(try #require(linear.bias).abs().amax().scalar - 0.05) < 0.001)
        #expect(norm.weight.isEqual(to: .ones([10])) && norm.bias.isEqual(to: .zeros([10])))
        #expect(abs(table.weight.variance().scalar - 1) < 0.05)
    }

    @Test func aFreshBatchNormChangesNothing() throws {
        let norm = BatchNorm(ParameterStore(drawing: try Generator(seed: 1)).root, 3, epsilon: 0)
        #expect(norm(counting(2, 3)).isEqual(to: counting(2, 3)))
        #expect(norm(counting(1, 3, 2, 2)).isEqual(to: counting(1, 3, 2, 2)))
    }

    @Test func aWrongInputTrapsWithTheShapes() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let linear = Linear(ParameterStore(drawing: try Generator(seed: 1)).root, 5, 4)
            _ = linear(.zeros([2, 3]))
        }
        #expect(said(result).contains("aten::linear(float32[2, 3], float32[4, 5]"))
        #expect(said(result).contains("mat1 and mat2 shapes cannot be multiplied (2x3 and 5x4)"))
    }
}

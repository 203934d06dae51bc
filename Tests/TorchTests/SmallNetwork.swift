import Torch
import Weights

/// `Small` of Fixtures/make_fixtures.py: a convolution, a norm, attention and linear maps.
struct SmallNetwork {
    let convolution: Convolution
    let norm: GroupNorm
    let query: Linear, key: Linear, value: Linear, output: Linear

    init(_ scope: Scope) {
        convolution = Convolution(scope["convolution"], 3, 8, size: [3], padding: [1])
        norm = GroupNorm(scope["norm"], groups: 2, 8)
        query = Linear(scope["query"], 8, 8)
        key = Linear(scope["key"], 8, 8)
        value = Linear(scope["value"], 8, 8)
        output = Linear(scope["output"], 8, 2)
    }

    /// With the fixture's weights, in memory of its own.
    init(loading fixture: Checkpoint) throws {
        self = try ParameterStore.load(try fixture.subtree("weights")) { SmallNetwork($0) }
        for weight in weights.values { weight.requiringGradient() }
    }

    /// `[2, 3, 6]` to `[2, 6, 2]`.
    func callAsFunction(_ x: Tensor) -> Tensor {
        let x = norm(convolution(x)).silu().transposed(1, 2)
        let heads = [query, key, value].map { $0(x).reshaped(2, 6, 2, 4).transposed(1, 2) }
        let attended = scaledDotProductAttention(heads[0], heads[1], heads[2])
        return output((x + attended.transposed(1, 2).reshaped(2, 6, 8)).gelu())
    }

    var weights: [String: Tensor] {
        let layers = ["query": query, "key": key, "value": value, "output": output]
        var weights = [
            "convolution.weight": convolution.weight, "norm.weight": norm.weight,
            "norm.bias": norm.bias,
        ]
        weights["convolution.bias"] = convolution.bias
        for (name, layer) in layers {
            weights[name + ".weight"] = layer.weight
            weights[name + ".bias"] = layer.bias
        }
        return weights
    }
}

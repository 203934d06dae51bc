import Testing
import Torch
import Weights

@Suite struct GradientClippingTests {
    private func parameters(_ gradients: [String: Tensor?]) -> [(name: String, tensor: Tensor)] {
        gradients.sorted { $0.key < $1.key }.map { name, gradient in
            let parameter = Tensor.zeros(gradient?.shape ?? [2]).requiringGradient()
            parameter.gradient = gradient
            return (name, parameter)
        }
    }

    @Test(arguments: [("all", 1, 0.5), ("one", 0, 0.5), ("none", 1, 100.0)])
    func clippingAgreesWithPyTorch(name: String, step: Int, limit: Double) throws {
        let torch = try fixture("optimisation.safetensors")
        let parameters = parameters([
            "matrix": try torch("gradient.\(step).matrix").copy(),
            "vector": torch.tensor("gradient.\(step).vector").map { Tensor($0).copy() },
        ])
        let expected = try torch("clipped.\(name).norm").scalar
        #expect(abs(gradientNorm(parameters) / expected - 1) < 1e-6)
        #expect(abs(clipGradientNorm(parameters, maxNorm: limit) / expected - 1) < 1e-6)
        #expect(abs(gradientNorm(parameters) / min(limit, expected) - 1) < 1e-5)
        for (parameter, tensor) in parameters {
            guard let gradient = tensor.gradient else { continue }
            expectEqual(gradient, try torch("clipped.\(name).\(parameter)"))
        }
    }

    @Test func noGradientsHaveNoNorm() {
        #expect(clipGradientNorm([], maxNorm: 1) == 0)
        #expect(clipGradientNorm(parameters(["a": nil]), maxNorm: 1) == 0)
        #expect(firstNonFiniteGradient(parameters(["a": nil])) == nil)
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity])
    func theFirstThatIsNotFiniteIsFound(value: Float) {
        let bad = Tensor([1, value, 3] as [Float])
        #expect(firstNonFiniteGradient(parameters(["a": .ones([2]), "b": .ones([3])])) == nil)
        let some = parameters(["a": .ones([2]), "b": nil, "c": bad, "d": .ones([1]), "e": bad])
        #expect(firstNonFiniteGradient(some) == "c")
        #expect(!clipGradientNorm(some, maxNorm: 0.1).isFinite)
        #expect(some[0].tensor.gradient?.floats == [1, 1])
    }

    @Test func largeFiniteGradientsAreFinite() {
        let parameters = parameters(["a": Tensor([3e38, -3e38] as [Float])])
        #expect(gradientNorm(parameters) == .infinity)
        #expect(firstNonFiniteGradient(parameters) == nil)
    }
}

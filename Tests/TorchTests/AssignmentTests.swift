import Errors
import Testing
import Torch
import Weights

/// Checkpoints that hold a part of a network's weights.
@Suite struct AssignmentTests {
    private let network: Checkpoint

    init() throws { network = try fixture("network.safetensors") }

    /// "linear" and "other", both `[4, 5]`.
    private func drawn(_ names: String...) throws -> ParameterStore {
        let store = ParameterStore(drawing: try Generator(seed: 1))
        for name in names { _ = Linear(store.root[name], 5, 4) }
        return store
    }

    @Test func weightsAreOverwrittenAndNamed() throws {
        let store = try drawn("linear", "other")
        let other = try #require(store["other.weight"]).copy()
        let weight = try #require(store["linear.weight"])
        store.requireGradients()
        let names = try store.assign(network) { $0.hasPrefix("linear.") ? $0 : nil }
        #expect(names == ["linear.weight", "linear.bias"])
        #expect(weight.isEqual(to: try network("linear.weight")))
        #expect(store["linear.bias"]?.isEqual(to: try network("linear.bias")) == true)
        #expect(store["other.weight"]?.isEqual(to: other) == true)
        #expect(weight.requiresGradient)
    }

    @Test func namesAreGivenAPrefix() throws {
        let store = try drawn("a.linear", "linear")
        let names = try store.assign(network) { $0.hasPrefix("linear.") ? "a." + $0 : nil }
        #expect(names == ["a.linear.weight", "a.linear.bias"])
        #expect(store["a.linear.weight"]?.isEqual(to: try network("linear.weight")) == true)
    }

    @Test func theFileStaysAsItIs() throws {
        let store = try drawn("linear")
        try store.assign(network) { $0.hasPrefix("linear.") ? $0 : nil }
        let before = try network("linear.weight").copy()
        withoutGradient { store["linear.weight"]! *= 2.0 }  // drawn above
        #expect(try network("linear.weight").isEqual(to: before))
    }

    @Test func shortRealNumbersBecomeFloat32() throws {
        let half = try fixture("half.safetensors")
        let store = ParameterStore(drawing: try Generator(seed: 1))
        let linear = Linear(store.root, 5, 4)
        try store.assign(half)
        #expect(linear.weight.isEqual(to: try half("weight").to(.float32)))
        #expect(linear.bias?.isEqual(to: try half("bias").to(.float32)) == true)
    }

    @Test func everyProblemIsListedAndNothingChanged() throws {
        let store = ParameterStore(drawing: try Generator(seed: 1))
        _ = Linear(store.root["linear"], 5, 3)
        _ = store.root.parameter("unbiased.weight", [4, 5], .constant(0))
        let before = store.parameters.map { $0.tensor.copy() }
        let error = #expect(throws: LoopyError.self) {
            try store.assign(network) { name in
                switch name {
                case "norm.weight": "linear.bias"
                case let name where name.hasPrefix("linear.") || name.hasPrefix("unbiased"): name
                case "batch.bias": name
                default: nil
                }
            }
        }
        #expect(error?.category == .malformed)
        let message = error?.message ?? ""
        #expect(message.hasPrefix(network.path + ": the weights are of another network: "))
        #expect(message.contains("linear.weight is [4, 5], not [3, 5]"))
        #expect(message.contains("has batch.bias, which is not used"))
        for (parameter, former) in zip(store.parameters, before) {
            #expect(parameter.tensor.isEqual(to: former))
        }
    }

    @Test func twoTensorsOfOneNameAreAProblem() throws {
        let error = #expect(throws: LoopyError.self) {
            try drawn("linear").assign(network) { name in
                name == "linear.weight" || name == "unbiased.weight" ? "linear.weight" : nil
            }
        }
        #expect(
            error?.message.hasSuffix(
                "linear.weight and unbiased.weight, which are both linear.weight")
                == true)
    }

    @Test func integersAreNoRealNumbers() throws {
        let types = try fixture("types.safetensors")
        let store = ParameterStore(drawing: try Generator(seed: 1))
        let table = store.root.parameter(
            "int64", [2, 3], .values { .zeros([2, 3], type: .int64) })
        _ = store.root.parameter("int16", [2, 3], .constant(0))
        #expect(try store.assign(types) { $0 == "int64" ? $0 : nil } == ["int64"])
        #expect(table.isEqual(to: try types("int64")))
        let error = #expect(throws: LoopyError.self) {
            try store.assign(types) { $0 == "int16" ? $0 : nil }
        }
        #expect(error?.message.hasSuffix("int16 is int16, not float32") == true)
    }

    @Test func shapesAloneTakeNothing() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            try ParameterStore.describing().assign(try fixture("network.safetensors"))
        }
        #expect(said(result).contains("a store of shapes has no weights to overwrite"))
    }
}

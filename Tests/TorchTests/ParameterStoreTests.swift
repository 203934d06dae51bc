import Errors
import Testing
import Torch
import Weights

/// Weights by the names of their checkpoint.
@Suite struct ParameterStoreTests {
    private let network: Checkpoint

    init() throws { network = try fixture("network.safetensors") }

    /// Asks for nothing but the linear layers.
    private func loadLinear(
        rename: (String) -> String? = { $0.hasPrefix("linear") ? $0 : nil },
        _ build: (Scope) throws -> Linear = { Linear($0["linear"], 5, 4) }
    ) throws -> Linear {
        try ParameterStore.load(network, rename: rename, build)
    }

    private func problem(of load: () throws -> Linear) -> String {
        let error = #expect(throws: LoopyError.self) { try load() }
        #expect(error?.category == .malformed)
        return error?.message ?? ""
    }

    @Test func weightsAreTakenByTheirNames() throws {
        let linear = try loadLinear()
        #expect(linear.weight.isEqual(to: try network("linear.weight")))
        #expect(linear.bias?.isEqual(to: try network("linear.bias")) == true)
    }

    @Test func whatIsMissingOrOfAnotherShapeOrNotUsedIsListed() {
        let message = problem {
            try loadLinear {
                $0 == "linear.weight" || $0 == "unbiased.weight" ? $0 : nil
            } _: { scope in
                Linear(scope["linear"], 4, 4)
            }
        }
        #expect(message.hasPrefix(network.path + ": the weights are of another network: "))
        #expect(message.contains("linear.weight is [4, 5], not [4, 4]; "))
        #expect(message.contains("lacks linear.bias [4]; "))
        #expect(message.hasSuffix("has unbiased.weight, which is not used"))
    }

    @Test func aLongListIsCut() {
        let message = problem { try loadLinear(rename: { $0 }) }
        #expect(message.contains("has batch.bias, which is not used; "))
        #expect(message.hasSuffix("; and \(network.names.count - 2 - 8) more"))
    }

    @Test func aSuperfluousTensorCanBeIgnored() throws {
        let linear = try loadLinear {
            $0.contains("linear") || $0.contains("unbiased") ? $0 : nil
        } _: { scope in
            #expect(scope.has("unbiased.weight") && scope["unbiased"].has("weight"))
            #expect(!scope.has("unbiased.bias"))
            scope["unbiased"].ignore("weight")
            scope.ignore("what is not there")
            return Linear(scope["linear"], 5, 4)
        }
        #expect(linear.weight.shape == [4, 5])
    }

    @Test func namesAreChanged() throws {
        let linear = try loadLinear {
            $0.hasPrefix("linear.") ? "blocks.0." + $0.dropFirst(7) : nil
        } _: { scope in
            Linear(scope["blocks"][0], 5, 4)
        }
        #expect(linear.weight.isEqual(to: try network("linear.weight")))
    }

    @Test func theNamesOfTheFileAreInTheProblems() {
        let message = problem {
            try loadLinear {
                $0.hasPrefix("linear.") ? "renamed." + $0.dropFirst(7) : nil
            } _: { scope in
                Linear(scope["renamed"], 5, 3)
            }
        }
        #expect(message.contains("linear.weight is [4, 5], not [3, 5]"))
    }

    @Test func twoTensorsOfOneNameAreAProblem() {
        let message = problem {
            try loadLinear {
                switch $0 {
                case "unbiased.weight": "linear.weight"
                case let name where name.hasPrefix("linear"): name
                default: nil
                }
            }
        }
        #expect(message.contains("linear.weight and unbiased.weight, which are both linear.weight"))
    }

    @Test func askingTwiceTraps() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let store = ParameterStore(drawing: try Generator(seed: 1))
            _ = Linear(store.root["a"], 1, 1)
            _ = Linear(store.root["a"], 1, 1)
        }
        #expect(said(result).contains("the network asks for 'a.weight' twice"))
    }

    @Test func givenValuesOfAnotherShapeTrap() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let store = ParameterStore(drawing: try Generator(seed: 1))
            _ = store.root.parameter("a", [3], .values { .zeros([1, 3]) })
        }
        #expect(said(result).contains("float32[1, 3] is no weight of shape [3]"))
    }

    @Test func shortRealNumbersBecomeFloat32() throws {
        let half = try fixture("half.safetensors")
        let linear = try ParameterStore.load(half) { Linear($0, 5, 4) }
        #expect(half.tensor("weight")?.type == .float16 && half.tensor("bias")?.type == .bfloat16)
        #expect(linear.weight.isEqual(to: try half("weight").to(.float32)))
        #expect(linear.bias?.isEqual(to: try half("bias").to(.float32)) == true)
        #expect(linear.weight.isFinite && linear.weight.abs().sum().scalar > 1)
    }

    @Test func longRealNumbersBecomeFloat32AndIntegersStay() throws {
        let types = try fixture("types.safetensors")
        try ParameterStore.load(types) { scope in
            for name in types.names {
                let type = scope.parameter(name, [2, 3], .constant(0)).type
                #expect(type == (name.contains("float") ? .float32 : types.tensor(name)?.type))
            }
        }
    }

    @Test func viewsOfAStateDictBecomeDense() throws {
        let views = try fixture("strided.pt")
        try ParameterStore.load(views) { scope in
            for name in views.names {
                let stored = try views(name)
                let weight = scope.parameter(name, stored.shape, .constant(0))
                #expect(weight.isContiguous)
                #expect(weight.isEqual(to: stored))
            }
        }
    }

    @Test func loadedWeightsAreOutsideOfWhatIsRecorded() throws {
        #expect(try !loadLinear().weight.requiresGradient)
    }

    @Test func drawingIsDeterministic() throws {
        func weights(seed: UInt64) throws -> [Tensor] {
            let store = ParameterStore(drawing: try Generator(seed: seed))
            _ = SmallNetwork(store.root)
            return store.names.compactMap { store[$0] }
        }
        let (first, second, other) = try (weights(seed: 3), weights(seed: 3), weights(seed: 4))
        #expect(first.count == 12)
        #expect(zip(first, second).allSatisfy { $0.isEqual(to: $1) })
        #expect(!zip(first, other).allSatisfy { $0.isEqual(to: $1) })
        #expect(first.allSatisfy { !$0.requiresGradient && $0.type == .float32 })
    }

    @Test func namesStandInTheOrderOfAsking() throws {
        let store = ParameterStore(drawing: try Generator(seed: 3))
        _ = Linear(store.root["b"][1], 2, 2)
        _ = LayerNorm(store.root["a"]["norm"], 2)
        _ = store.root.parameter("free", [3], .normal(0.5))
        #expect(
            store.names == ["b.1.weight", "b.1.bias", "a.norm.weight", "a.norm.bias", "free"])
        #expect(store["free"]?.shape == [3])
        #expect(store["b"] == nil)
        #expect(store.device == .cpu)
        #expect(!store.root.has("free"))
    }

    @Test func weightsCanBeGiven() throws {
        let store = ParameterStore(drawing: try Generator(seed: 3))
        let table = store.root.parameter(
            "table", [3, 2], .values { counting(2, 3).to(.float64).transposed(0, 1) })
        #expect(table.type == .float32 && table.isContiguous)
        #expect(table.floats == [0, 3, 1, 4, 2, 5])
        let indices = store.root.parameter("indices", [2], .values { Tensor([4, 1]) })
        #expect(indices.array(of: Int.self) == [4, 1])
        store.requireGradients()
        #expect(table.requiresGradient && !indices.requiresGradient)
    }

    @Test func parametersStandInTheOrderOfAsking() throws {
        let store = ParameterStore(drawing: try Generator(seed: 3))
        let layers = ["b", "a"].map { Linear(store.root[$0], 2, 3) }
        #expect(store.parameters.map(\.name) == store.names)
        #expect(store.parameters[2].tensor.isEqual(to: layers[1].weight))
        store.requireGradients { $0.hasSuffix("weight") }
        #expect(store.parameters.map(\.tensor.requiresGradient) == [true, false, true, false])
        #expect(layers[0].weight.requiresGradient)
    }

    @Test func networksOfAnySizeAreDescribed() throws {
        let store = ParameterStore.describing()
        let layer = Linear(store.root["a"], 1 << 20, 1 << 20)
        let number = store.root.parameter("number", [], .values { fatalError("is not asked") })
        #expect(layer.weight.shape == [1 << 20, 1 << 20] && number.shape == [])
        #expect(store.names == ["a.weight", "a.bias", "number"])
        let count = store.parameters.reduce(0) { $0 + $1.tensor.count }
        #expect(count == 1 << 40 + 1 << 20 + 1)
        #expect(!store.root.has("a.weight"))
    }

    @Test func errorsOfBuildingAreHandedOn() throws {
        struct Failure: Error {}
        #expect(throws: Failure.self) {
            try ParameterStore.load(network) { _ in throw Failure() }
        }
    }
}

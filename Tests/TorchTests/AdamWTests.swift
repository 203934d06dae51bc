import Errors
import Testing
import Torch
import Weights

@Suite struct AdamWTests {
    private static let names = ["matrix", "vector"]

    private let torch: Checkpoint

    init() throws { torch = try fixture("optimisation.safetensors") }

    /// Parameters as the fixture begins with.
    private func parameters() throws -> [(name: String, tensor: Tensor)] {
        try Self.names.map { ($0, try torch("start." + $0).copy().requiringGradient()) }
    }

    private func takeGradients(
        _ parameters: [(name: String, tensor: Tensor)], step: Int
    ) {
        for (name, parameter) in parameters {
            parameter.gradient = torch.tensor("gradient.\(step).\(name)").map { Tensor($0).copy() }
        }
    }

    private func run(
        _ optimiser: AdamW, _ parameters: [(name: String, tensor: Tensor)], _ steps: Range<Int>
    ) {
        for step in steps {
            takeGradients(parameters, step: step)
            optimiser.step(learningRate: 0.1 / Double(step + 1))
        }
    }

    private func settings(_ name: String) -> AdamW.Settings {
        var settings = AdamW.Settings()
        if name == "other" {
            (settings.beta1, settings.beta2) = (0.8, 0.95)
            (settings.epsilon, settings.weightDecay) = (1e-3, 0.3)
        }
        return settings
    }

    @Test(arguments: ["plain", "other"]) func stepsAgreeWithPyTorch(name: String) throws {
        let parameters = try parameters()
        let optimiser = AdamW(parameters, settings: settings(name))
        for step in 0..<6 {
            run(optimiser, parameters, step..<step + 1)
            for (parameter, tensor) in parameters {
                expectEqual(
                    tensor.detached(), try torch("\(name).\(step).\(parameter)"),
                    "\(step) \(parameter)")
            }
        }
        #expect(optimiser.state.count == 6)
        for (entry, tensor) in optimiser.state {
            expectEqual(tensor, try torch("\(name).state.\(entry)"), entry)
        }
    }

    @Test func aParameterWithoutGradientIsLeftAlone() throws {
        let parameters = try parameters()
        let optimiser = AdamW(parameters)
        run(optimiser, parameters, 0..<1)
        #expect(try torch("start.vector").isEqual(to: parameters[1].tensor.detached()))
        #expect(
            optimiser.state.map(\.name)
                == ["matrix.step", "matrix.exp_avg", "matrix.exp_avg_sq", "vector.step"])
        #expect(optimiser.state.last?.tensor.scalar == 0)
        optimiser.zeroGradients()
        #expect(parameters.allSatisfy { $0.tensor.gradient == nil })
        let before = parameters.map { $0.tensor.detached().copy() }
        optimiser.step(learningRate: 1)
        for (parameter, before) in zip(parameters, before) {
            #expect(parameter.tensor.detached().isEqual(to: before))
        }
        #expect(optimiser.state.first?.tensor.scalar == 1)
    }

    /// A gradient's elements may lie otherwise than the parameter's.
    @Test func aTransposedGradientIsTaken() throws {
        let start = try torch("start.matrix"), gradient = try torch("gradient.0.matrix")
        let results = [gradient, gradient.transposed(0, 1).copy().contiguous().transposed(0, 1)].map
        { gradient in
            let parameter = start.copy().requiringGradient()
            parameter.gradient = gradient
            AdamW([("matrix", parameter)]).step(learningRate: 0.1)
            return parameter.detached()
        }
        #expect(results[0].isEqual(to: results[1]))
    }

    @Test(arguments: [1, 3]) func aRestoredStateGoesOnBitForBit(steps: Int) throws {
        let whole = try parameters()
        run(AdamW(whole), whole, 0..<6)

        let first = try parameters()
        let stopped = AdamW(first)
        run(stopped, first, 0..<steps)
        try withFolder { folder in
            var bytes: [UInt8] = []
            try SafeTensors.write(tensors: stopped.state + first) { bytes += $0 }
            let file = try Checkpoint(writing: bytes, to: folder + "/state.safetensors")

            let second = try Self.names.map { (name: $0, tensor: try file($0).copy()) }
            for (_, tensor) in second { tensor.requiringGradient() }
            let resumed = AdamW(second)
            let state = try file.names.filter { !Self.names.contains($0) }.map {
                ($0, try file($0))
            }
            try resumed.restore(Dictionary(uniqueKeysWithValues: state))
            run(resumed, second, steps..<6)
            for (a, b) in zip(whole, second) {
                #expect(a.tensor.detached().isEqual(to: b.tensor.detached()))
            }
            // What was restored is a copy.
            for (name, tensor) in stopped.state {
                #expect(try file(name).isEqual(to: tensor), "\(name)")
            }
        }
    }

    @Test func aStateOfOtherParametersIsRefused() throws {
        let parameters = try parameters()
        let optimiser = AdamW(parameters)
        run(optimiser, parameters, 0..<2)
        let state = Dictionary(
            uniqueKeysWithValues: optimiser.state.map { ($0.name, $0.tensor.copy()) })

        func refusal(_ change: (inout [String: Tensor]) -> Void) -> String? {
            var changed = state
            change(&changed)
            let error = #expect(throws: LoopyError.self) { try optimiser.restore(changed) }
            #expect(error?.category == .mismatch)
            return error?.message
        }
        let start = "the state is not of the optimiser: "
        #expect(refusal { $0["vector.exp_avg"] = nil } == start + "lacks vector.exp_avg [5]")
        #expect(
            refusal { $0["vector.step"] = nil }?.hasPrefix(start + "lacks vector.step []") == true)
        #expect(
            refusal { $0["matrix.exp_avg_sq"] = .zeros([4, 3]) }
                == start + "matrix.exp_avg_sq is float32[4, 3], not float32[3, 4]")
        #expect(
            refusal { $0["matrix.exp_avg"] = .zeros([3, 4], type: .float64) }
                == start + "matrix.exp_avg is float64[3, 4], not float32[3, 4]")
        #expect(
            refusal { $0["more.step"] = .zeros([]) } == start + "has more.step, which is not used")
        for (name, tensor) in optimiser.state { #expect(state[name]!.isEqual(to: tensor)) }
    }

    @Test func nothingToOptimiseIsFine() throws {
        let optimiser = AdamW([])
        optimiser.step(learningRate: 1)
        #expect(optimiser.state.isEmpty)
        try optimiser.restore([:])
    }

    @Test func bugsTrapWithTheReason() async {
        let twice = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) { _ = AdamW([("a", .zeros([1])), ("a", .zeros([2]))]) }
        #expect(said(twice).contains("there are two parameters 'a'"))

        let mixed = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) { _ = AdamW([("a", .zeros([1])), ("b", .zeros([2], type: .bfloat16))]) }
        #expect(said(mixed).contains("b, bfloat16[2], cannot be optimised beside float32 on cpu"))
    }
}

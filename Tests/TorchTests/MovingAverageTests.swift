import Errors
import Testing
import Torch
import Weights

@Suite struct MovingAverageTests {
    private static let names = ["matrix", "vector"]

    private let torch: Checkpoint

    init() throws { torch = try fixture("optimisation.safetensors") }

    private func parameters() throws -> [(name: String, tensor: Tensor)] {
        try Self.names.map { ($0, try torch("start." + $0).copy().requiringGradient()) }
    }

    /// Sets parameters to what the fixture has after steps, and averages them.
    private func run(
        _ average: MovingAverage, _ parameters: [(name: String, tensor: Tensor)],
        _ steps: Range<Int>
    ) throws {
        for step in steps {
            try withoutGradient {
                for (name, tensor) in parameters {
                    tensor.assign(try torch("plain.\(step).\(name)"))
                }
            }
            average.update()
        }
    }

    @Test(arguments: [0.3, 0.99]) func averagesFollowTheFormula(decay: Double) throws {
        let parameters = try parameters()
        let average = MovingAverage(parameters, decay: decay)
        for (name, tensor) in average.averages {
            #expect(try torch("start." + name).isEqual(to: tensor))
        }
        try run(average, parameters, 0..<6)
        #expect(average.updates == 6)
        #expect(average.averages.map(\.name) == Self.names)
        for (name, tensor) in average.averages {
            expectEqual(tensor, try torch("average.\(decay).\(name)"), name)
            #expect(!tensor.requiresGradient)
        }
    }

    @Test func averagesStandInForTheParameters() throws {
        struct Failure: Error {}
        let parameters = try parameters()
        let average = MovingAverage(parameters, decay: 0.9)
        try run(average, parameters, 0..<3)
        let averages = average.averages.map { $0.tensor.copy() }

        func expectUnchanged() throws {
            for ((name, tensor), (averaged, expected)) in zip(
                parameters, zip(average.averages, averages))
            {
                #expect(try torch("plain.2." + name).isEqual(to: tensor.detached()))
                #expect(averaged.tensor.isEqual(to: expected))
            }
        }
        average.withAverages {
            for ((_, tensor), expected) in zip(parameters, averages) {
                #expect(tensor.isEqual(to: expected))
                #expect(tensor.requiresGradient)
            }
        }
        try expectUnchanged()
        #expect(throws: Failure.self) { try average.withAverages { throw Failure() } }
        try expectUnchanged()
    }

    @Test func aRestoredStateGoesOnBitForBit() throws {
        let whole = try parameters()
        let average = MovingAverage(whole, decay: 0.99)
        try run(average, whole, 0..<3)
        try withFolder { folder in
            var bytes: [UInt8] = []
            try SafeTensors.write(tensors: average.state) { bytes += $0 }
            let file = try Checkpoint(writing: bytes, to: folder + "/state.safetensors")
            try run(average, whole, 3..<6)

            let second = try parameters()
            let resumed = MovingAverage(second, decay: 0.99)
            try resumed.restore(
                Dictionary(uniqueKeysWithValues: try file.names.map { ($0, try file($0)) }))
            #expect(resumed.updates == 3)
            try run(resumed, second, 3..<6)
            for (a, b) in zip(average.averages, resumed.averages) {
                #expect(a.tensor.isEqual(to: b.tensor))
            }
        }
    }

    @Test func aStateOfOtherParametersIsRefused() throws {
        let average = MovingAverage(try parameters(), decay: 0.9)
        let error = #expect(throws: LoopyError.self) {
            try average.restore([
                "matrix.average": .zeros([3, 4]), "vector.average": .zeros([4]),
                "vector": .ones([5]),
            ])
        }
        #expect(error?.category == .mismatch)
        #expect(
            error?.message
                == "the state is not of the moving average: vector.average is float32[4], "
                + "not float32[5]; lacks updates []; has vector, which is not used")
        for (name, tensor) in average.averages {
            #expect(try torch("start." + name).isEqual(to: tensor))
        }
    }

    @Test func bugsTrapWithTheReason() async {
        let swapped = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let average = MovingAverage([("a", .zeros([1]))], decay: 0.9)
            average.withAverages { average.update() }
        }
        #expect(said(swapped).contains("while averages stand in their place"))
    }
}

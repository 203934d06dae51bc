import Errors
import TestSupport
import Testing
import Torch

/// Ranks on threads of this process.
@Suite(.serialized)
struct DistributedAdamWTests {
    private static let shapes: [(String, [Int])] = [
        ("a", [3, 5]), ("b", [1]), ("c", [7]), ("d", [2, 2]),
    ]

    /// Takes steps with gradients that follow from names and steps; "b" gets none in the second, and of "c"
    /// only the last rank has one.
    ///
    /// - Returns: the weights, and rank 0's state, as numbers by name.
    private static func train(
        _ group: ProcessGroup, isSharded: Bool, steps: Range<Int>,
        from start: [String: [Float]] = [:], bucketBytes: Int = 16
    ) throws -> (weights: [[Float]], state: [String: [Float]]) {
        let parameters = shapes.map { name, shape in
            let count = shape.reduce(1, *)
            let begin = start[name] ?? (0..<count).map { Float($0) / 10 }
            return (name: name, tensor: Tensor(begin, shape: shape).requiringGradient())
        }
        let optimiser = DistributedAdamW(
            parameters, group, isSharded: isSharded, bucketBytes: bucketBytes)
        if !start.isEmpty {
            var state: [String: Tensor] = [:]
            for (name, shape) in shapes {
                for suffix in [".step", ".exp_avg", ".exp_avg_sq"] {
                    guard let values = start[name + suffix] else { continue }
                    state[name + suffix] = Tensor(values, shape: suffix == ".step" ? [] : shape)
                }
            }
            try optimiser.restore(state)
        }
        for step in steps {
            for (index, (name, tensor)) in parameters.enumerated() {
                guard name != "b" || step != 1, name != "c" || group.rank == group.size - 1 else {
                    continue
                }
                let whole = Tensor.arange(0..<tensor.count, type: .float32).sin() + Double(index)
                let share = name == "c" ? 1.0 : 1 / Double(group.size)
                tensor.gradient = (whole * (share * Double(step + 1))).reshaped(tensor.shape)
            }
            #expect(try optimiser.sumGradients([1]) == [Double(group.size)])
            #expect(try optimiser.clipGradientNorm(maxNorm: 1) > 1)
            try optimiser.step(learningRate: 0.1)
        }
        return (parameters.map { $0.tensor.array() }, try whole(optimiser.state(), group))
    }

    /// A state of which every rank has a part, as numbers by name.
    private static func whole(
        _ state: DistributedState, _ group: ProcessGroup
    ) throws -> [String: [Float]] {
        var all: [String: [Float]] = [:]
        for (name, _, shape) in state.entries {
            var numbers = [Double](repeating: 0, count: shape.reduce(1, *))
            var isOwn = numbers
            for piece in state.pieces where piece.name == name {
                for (index, number) in piece.numbers.array(of: Double.self).enumerated() {
                    numbers[piece.start + index] += number
                    isOwn[piece.start + index] += 1
                }
            }
            // Each number belongs to one rank.
            #expect(try group.sum(isOwn).allSatisfy { $0 == 1 }, "\(name)")
            all[name] = try group.sum(numbers).map(Float.init)
        }
        return all
    }

    private func run(
        _ ranks: Int, isSharded: Bool, _ steps: Range<Int>, from start: [String: [Float]] = [:],
        bucketBytes: Int = 16
    ) throws -> (weights: [[Float]], state: [String: [Float]]) {
        let results = try inRanks(ranks) { group in
            let trained = try Self.train(
                group, isSharded: isSharded, steps: steps, from: start, bucketBytes: bucketBytes)
            return [
                trained.weights.enumerated().reduce(into: trained.state) { all, weight in
                    all["weight \(weight.offset)"] = weight.element
                }
            ]
        }
        let all = try results.map { try $0.get()[0] }
        func weights(_ rank: Int) -> [[Float]] {
            Self.shapes.indices.compactMap { all[rank]["weight \($0)"] }
        }
        for rank in 1..<max(1, ranks) where ranks > 1 {
            #expect(weights(rank) == weights(0), "rank \(rank)")
        }
        return (weights(0), all[0].filter { !$0.key.hasPrefix("weight") })
    }

    private func expectClose(_ a: [String: [Float]], _ b: [String: [Float]], _ what: String) {
        #expect(Set(a.keys) == Set(b.keys), "\(what)")
        for (name, values) in a {
            let others = b[name] ?? []
            #expect(values.count == others.count, "\(what) \(name)")
            for (x, y) in zip(values, others) { #expect(abs(x - y) < 1e-5, "\(what) \(name)") }
        }
    }

    @Test(arguments: [2, 3, 5])
    func ranksThatShareMomentsOutComeToTheSame(ranks: Int) throws {
        let one = try run(1, isSharded: true, 0..<3)
        #expect(one.state["b.step"] == [2] && one.state["a.step"] == [3])
        for bucketBytes in [4, 64, 1 << 20] {
            let many = try run(ranks, isSharded: true, 0..<3, bucketBytes: bucketBytes)
            expectClose(many.state, one.state, "\(bucketBytes)")
            for (a, b) in zip(many.weights.joined(), one.weights.joined()) {
                #expect(abs(a - b) < 1e-5)
            }
        }
        let replicated = try run(ranks, isSharded: false, 0..<3)
        expectClose(replicated.state, one.state, "replicated")
    }

    @Test func aStateGoesOnWithAnotherNumberOfRanks() throws {
        let whole = try run(1, isSharded: false, 0..<4)
        let first = try run(3, isSharded: true, 0..<2)
        var start = first.state
        for ((name, _), weight) in zip(Self.shapes, first.weights) { start[name] = weight }
        for (ranks, isSharded) in [(2, true), (2, false), (1, false)] {
            let second = try run(ranks, isSharded: isSharded, 2..<4, from: start)
            expectClose(second.state, whole.state, "\(ranks) \(isSharded)")
            for (a, b) in zip(second.weights.joined(), whole.weights.joined()) {
                #expect(abs(a - b) < 1e-5)
            }
        }
    }

    @Test func aStateThatDoesNotFitIsRefused() throws {
        let results = try inRanks(2) { group in
            let optimiser = DistributedAdamW(
                [("a", Tensor.zeros([4]).requiringGradient())], group, isSharded: true)
            try optimiser.restore(["a.step": .ones([]), "a.exp_avg": .zeros([3])])
        }
        for result in results {
            let error = #expect(throws: LoopyError.self) { try result.get() }
            #expect(error?.category == .mismatch)
        }
    }
}

import Errors
import Foundation
import Testing
import Torch
import Weights

/// Nothing is lost on the way: what a process holds does not grow with what it does.
@Suite struct MemoryTests {
    /// Memory of this process that is not of files, in bytes; what the allocator keeps for later is given
    /// back before.
    private func resident() throws -> Int {
        let release = try #require(dlsym(nil, "MallocExtension_ReleaseFreeMemory"))
        unsafeBitCast(release, to: (@convention(c) () -> Void).self)()
        let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        let pages = text.split(separator: " ").compactMap { Int($0) }
        return (pages[1] - pages[2]) * sysconf(Int32(_SC_PAGESIZE))
    }

    /// Checks that as many further calls grow memory by less than a leak would. What is lost shows
    /// every time, what the allocator or another thread of the process takes now and then does not:
    /// the least growth of three counts.
    ///
    /// - Parameter leak: bytes that each call would lose at least, if it lost something. The tensors
    ///   that are used are large, and a quarter of that is allowed: the allocator's own ways are far
    ///   below it.
    private func expectSteady(
        _ times: Int, leak: Int, _ body: () throws -> Void,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for _ in 0..<(times / 10) { try body() }
        var grown = Int.max
        for _ in 0..<3 where grown >= times * leak / 4 {
            let before = try resident()
            for _ in 0..<times { try body() }
            grown = min(grown, try resident() - before)
        }
        #expect(grown < times * leak / 4, sourceLocation: sourceLocation)
    }

    @Test func operatorsFreeTheirResults() throws {
        let x = counting(64, 64)
        try expectSteady(10_000, leak: 16 << 10) { _ = x + 1 }
    }

    /// Small things count as well: a handle, a reference, a list of results.
    @Test func operatorsLoseNothingSmall() throws {
        let x = counting(4)
        let sort = Operator("aten::sort")
        try expectSteady(200_000, leak: 64) {
            _ = x.chunks(2, along: 0)
            _ = sort(x)
            _ = sort.number(x)
            _ = x[1...].isEqual(to: x[..<3])
        }
    }

    @Test func trainingStepsFreeTheirGraphs() throws {
        let store = ParameterStore(drawing: try Generator(seed: 1))
        let layer = Linear(store.root, 64, 64)
        for name in store.names { store[name]?.requiringGradient() }
        let x = counting(64, 64) / 4096
        try expectSteady(10_000, leak: 16 << 10) {
            layer(x).square().sum().backward()
            for name in store.names { store[name]?.gradient = nil }
        }
    }

    @Test func optimisersFreeWhatAStepNeeds() throws {
        let x = counting(64, 64) / 4096
        let weight = x.copy().requiringGradient()
        let parameters = [(name: "weight", tensor: weight)]
        let optimiser = AdamW(parameters)
        let average = MovingAverage(parameters, decay: 0.9)
        try expectSteady(3000, leak: 16 << 10) {
            linear(x, weight).square().sum().backward()
            clipGradientNorm(parameters, maxNorm: 1)
            _ = firstNonFiniteGradient(parameters)
            optimiser.step(learningRate: 1e-3)
            optimiser.zeroGradients()
            average.update()
            average.withAverages {}
        }
    }

    @Test func optimisersLoseNothingSmall() throws {
        let weight = Tensor.ones([4]).requiringGradient()
        let parameters = [(name: "weight", tensor: weight)]
        let optimiser = AdamW(parameters)
        let average = MovingAverage(parameters, decay: 0.9)
        let gradient = Tensor.ones([4])
        try expectSteady(30_000, leak: 64) {
            weight.gradient = gradient
            optimiser.step(learningRate: 1e-3)
            average.update()
        }
    }

    @Test func sharedMemoryIsGivenBack() throws {
        final class Memory {
            let bytes = UnsafeMutableRawPointer.allocate(byteCount: 16 << 10, alignment: 64)
            deinit { bytes.deallocate() }
        }
        try expectSteady(10_000, leak: 16 << 10) {
            let memory = Memory()
            memory.bytes.initializeMemory(as: UInt8.self, repeating: 1, count: 16 << 10)
            let x = Tensor(sharing: memory.bytes, shape: [4096], type: .float32, owner: memory)
            _ = x[1...] + 1
        }
    }

    @Test func checkpointsAreUnmapped() throws {
        let network = try fixture("functions.safetensors")
        try expectSteady(1000, leak: 100 << 10) {
            let file = try Checkpoint(network.path)
            // Every page is written to, so that it is memory.
            for name in file.names { try file(name).assign(try file(name) * 2) }
        }
    }

    @Test func loadingFreesWhatItMade() throws {
        let path = try fixture("network.safetensors").path
        try expectSteady(1000, leak: 4 << 10) {
            let store = try Checkpoint(path)
            #expect(throws: LoopyError.self) {
                try ParameterStore.load(store) { Linear($0["linear"], 64, 64) }
            }
        }
    }

    @Test func generatorsAndStatesAreFreed() throws {
        let generator = try Generator(seed: 1)
        try expectSteady(10_000, leak: 2 << 10) {
            try generator.restore(generator.state)
            _ = try Generator(seed: 2)
        }
    }

    @Test func errorsFreeTheirMessages() throws {
        let generator = try Generator(seed: 1)
        let wrong = Tensor.zeros([1])
        try expectSteady(50_000, leak: 64) { try? generator.restore(wrong) }
    }

    @Test func autocastFreesWhatItConverted() throws {
        let weight = counting(64, 64).requiringGradient()
        try expectSteady(2000, leak: 8 << 10) {
            withAutocast(.cpu) { _ = linear(weight.detached(), weight) }
        }
    }

    @Test func recomputationFreesItsGraphs() throws {
        let weight = counting(64, 64).requiringGradient()
        let x = counting(64, 64).requiringGradient()
        try expectSteady(3000, leak: 16 << 10) {
            let y = gradientCheckpointed([x]) { outer in
                gradientCheckpointed([outer[0].sin()]) { [linear($0[0], weight), $0[0]] }
            }
            y[0].sum().backward()
            (weight.gradient, x.gradient) = (nil, nil)
            // A graph that no backward pass goes through.
            _ = gradientCheckpointed([x]) { [linear($0[0], weight)] }
        }
    }

    @Test func recomputationLosesNothingSmall() throws {
        let x = counting(2).requiringGradient()
        try expectSteady(30_000, leak: 64) {
            gradientCheckpointed([x, x]) { [$0[0] * $0[1]] }[0].sum().backward()
        }
    }

    @Test func recomputationKeepsNoActivations() throws {
        let x = Tensor.zeros([10 << 20]).requiringGradient()
        func grown(_ run: (Tensor) -> Tensor) throws -> Int {
            let before = try resident()
            let y = run(x)
            defer { withExtendedLifetime(y) {} }
            return (try resident() - before) / (x.count * 4)
        }
        func chain(_ x: Tensor) -> Tensor { (0..<6).reduce(x) { x, _ in x.sin() } }
        // The input of every sine but the first, and the result.
        #expect(try grown(chain) == 6)
        #expect(try grown { gradientCheckpointed([$0]) { [chain($0[0])] }[0] } == 1)
        #expect(
            try grown {
                gradientCheckpointed(gradientCheckpointed([$0]) { [chain($0[0])] }) {
                    [chain($0[0])]
                }[0]
            } == 2
        )
    }
}

import Errors
import Foundation
import Synchronization
import TestSupport
import Testing
import Torch

/// Ranks on threads of this process: Gloo connects them as it connects processes.
@Suite(.serialized)
struct ProcessGroupTests {
    @Test(arguments: [1, 2, 3])
    func ranksSumAndShare(size: Int) throws {
        let results = try inRanks(size) { group in
            let summed = Tensor.full([5], Double(group.rank + 1))
            try group.allReduce(summed)
            let short = Tensor.full([3], 1, type: .bfloat16)
            try group.allReduce(short)
            let sent = Tensor.full([2], Double(group.rank))
            try group.broadcast([sent], from: size - 1)
            let part = try group.reduceScatter(Tensor.arange(0..<(2 * size), type: .float32))
            let all = try group.allGather(Tensor.full([2], Double(group.rank)))
            return [
                summed.array(), short.array(), sent.array(), part.array(), all.array(),
                try group.sum([1, Double(group.rank)]).map { Float($0) },
            ] as [[Float]]
        }
        #expect(results.count == size)
        let total = Float(size * (size + 1) / 2), n = Float(size)
        for (rank, result) in results.enumerated() {
            let values = try result.get()
            #expect(values[0] == [Float](repeating: total, count: 5))
            #expect(values[1] == [n, n, n])
            #expect(values[2] == [n - 1, n - 1])
            #expect(values[3] == [Float(2 * rank) * n, Float(2 * rank + 1) * n])
            #expect(values[4] == (0..<size).flatMap { [Float($0), Float($0)] })
            #expect(values[5] == [n, total - n])
        }
    }

    @Test(arguments: [4, 1 << 20])
    func gradientsAreSummedAndZerosWhereARankHasNone(bucketBytes: Int) throws {
        let results = try inRanks(2) { group in
            let parameters = ["both", "one", "none"].enumerated().map { index, name in
                (name: name, tensor: Tensor.zeros([2, index + 1]).requiringGradient())
            }
            parameters[0].tensor.gradient = Tensor.full([2, 1], Double(group.rank + 1))
            if group.rank == 1 { parameters[1].tensor.gradient = Tensor.full([2, 2], 7) }
            let numbers = try group.sumGradients(
                parameters, numbers: [Double(group.rank), 2], bucketBytes: bucketBytes)
            #expect(numbers == [1, 4])
            return parameters.map { $0.tensor.gradient?.array(of: Float.self) }
        }
        for result in results {
            #expect(try result.get() == [[3, 3], [7, 7, 7, 7], nil])
        }
    }

    @Test func aRankThatFailsEndsTheOthers() throws {
        let results = try inRanks(3) { group in
            try group.together {
                if group.rank >= 1 { throw LoopyError(.output, "full") }
            }
        }
        #expect(throws: LoopyError.self) { try results[1].get() }
        // Of those that fail, one says why.
        for rank in [0, 2] {
            let failure = #expect(throws: RankFailure.self) { try results[rank].get() }
            #expect(failure?.rank == 1 && failure?.exitStatus == 74)
        }
    }

    @Test func aRankThatIsGoneIsNamed() throws {
        let results = try inRanks(2) { group in
            if group.rank == 0 { _ = try group.sum([1]) }
        }
        let error = #expect(throws: LoopyError.self) { try results[0].get() }
        #expect(error?.message.hasPrefix("rank 1 ") == true, "\(String(describing: error))")
        #expect(throws: Never.self) { try results[1].get() }
    }

    @Test func aMachineThatNobodyKnowsIsNamedAtOnce() {
        let error = #expect(throws: LoopyError.self) {
            _ = try TCPStore(host: "no machine", port: 1, isServer: false)
        }
        #expect(error?.category == .configuration)
        #expect(error?.message.contains("'no machine'") == true)
    }

    @Test func aRankThatFallsSilentIsNamedAndOneThatEndsIsNot() throws {
        let store = try TCPStore(isServer: true)
        let silent = Mutex<[String]>([])
        func pulse(_ rank: Int, of size: Int) throws -> Pulse {
            let variables = LaunchEnvironment.variables(
                rank: rank, size: size, port: store.port, launcher: 1)
            return try Pulse(LaunchEnvironment(variables), silence: 0.6) { who in
                silent.withLock { $0.append("\(rank): \(who)") }
            }
        }
        let (zero, one) = (try pulse(0, of: 2), try pulse(1, of: 2))
        Thread.sleep(forTimeInterval: 1)
        one.end()
        Thread.sleep(forTimeInterval: 1)
        #expect(silent.withLock { $0 } == [])
        zero.end()
        // The third rank of another group never comes.
        let alone = try pulse(1, of: 3)
        Thread.sleep(forTimeInterval: 1.5)
        #expect(silent.withLock { $0 } == ["1: rank 2"])
        alone.end()
    }

    @Test func ranksThatDoNotComeAreNamed() throws {
        let store = try TCPStore(isServer: true)
        let launch = try LaunchEnvironment(
            LaunchEnvironment.variables(rank: 1, size: 3, port: store.port, launcher: 1))
        let error = #expect(throws: LoopyError.self) {
            _ = try ProcessGroup(launch, joinTimeout: 1)
        }
        #expect(error?.message.hasPrefix("ranks 0, 2 did not join") == true)
    }
}

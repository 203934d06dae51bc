import Errors
import Foundation
import Runs
import Storage
import TestSupport
import Testing
import Torch

@Suite struct RunDirectoryTests {
    private struct State: Codable, Equatable { var step: Int }

    private func save(_ step: Int, _ run: RunDirectory, milestones: Int = 0) throws {
        let tensors = [("w", Tensor([Float(step)], shape: [1]))]
        var kept = TrainingSettings.Checkpoints()
        (kept.keep, kept.milestones) = (2, milestones)
        try run.save(
            step: step, State(step: step), [("model.safetensors", tensors)], keeping: kept)
    }

    @Test func theNewestCheckpointsAreKept() throws {
        try withFolder { folder in
            let run = RunDirectory(folder + "/run")
            #expect(run.steps() == [])
            for step in [9, 10, 100] { try save(step, run) }
            #expect(run.steps() == [10, 100])
            #expect(try run.state(State.self, of: 100) == State(step: 100))
            // What a killed run left half-written is no checkpoint, and makes room for the next.
            try OutputFile.write([1], to: run.path + "/checkpoints/partial-101/model.safetensors")
            try save(101, run)
            #expect(run.steps() == [100, 101])
            #expect(try names(in: run.path + "/checkpoints").count == 2)
        }
    }

    @Test func milestonesAreKeptForGood() throws {
        try withFolder { folder in
            let run = RunDirectory(folder + "/run")
            for step in stride(from: 5, through: 35, by: 5) { try save(step, run, milestones: 10) }
            #expect(run.steps() == [10, 20, 30, 35])
        }
    }

    @Test func averagedWeightsStandForTheWeights() throws {
        try withFolder { folder in
            let run = RunDirectory(folder)
            try save(1, run)
            #expect(run.averagedWeights(1) == run.checkpoint(1) + "/model.safetensors")
            try OutputFile.write([], to: run.checkpoint(1) + "/averages.safetensors")
            #expect(run.averagedWeights(1) == run.checkpoint(1) + "/averages.safetensors")
        }
    }

    @Test func metricsAfterAStepAreForgotten() throws {
        try withFolder { folder in
            let run = RunDirectory(folder)
            for step in 1...4 { try run.append(MetricsLine(step: step)) }
            let file = folder + "/metrics.jsonl"
            // The last line was cut short when the power went.
            try write(try String(contentsOfFile: file, encoding: .utf8) + "{\"st", to: file)
            try run.cutMetrics(after: 2)
            #expect(try JSONLines.read(MetricsLine.self, from: file).map(\.step) == [1, 2])
        }
    }

    @Test func aRunIsSetAsideUnderTheNextFreeName() throws {
        try withFolder { folder in
            let run = RunDirectory(folder + "/run")
            for number in 1...2 {
                try save(1, run)
                #expect(try run.setAside() == folder + "/run.\(number)")
            }
            #expect(try names(in: folder) == ["run.1", "run.2"])
        }
    }

    /// The numbers are part of what a run draws: they may never change.
    @Test func seededNumbersStayWhatTheyAre() {
        var numbers = SeededNumbers("clip", "0", "3")
        #expect((0..<3).map { _ in numbers.next() } == Self.golden)
        var other = SeededNumbers("clip0", "3")
        #expect(other.next() != Self.golden[0])
        #expect(numbers.permutation(20).sorted() == Array(0..<20))
        #expect((0..<100).allSatisfy { _ in (0..<7).contains(numbers.below(7)) })
    }

    private static let golden: [UInt64] = [
        0xc57e_137e_f246_23de, 0xafb5_4f2d_636c_948a, 0xd447_80c5_21f1_5edf,
    ]
}

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
        let writer = try CheckpointWriter(
            run, step: step, State(step: step),
            [.init("model.safetensors", DistributedState(tensors, ProcessGroup()))], keeping: kept)
        try writer.prepare()
        writer.start()
        try writer.wait()
        try writer.commit()
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

    /// Each has a part of the files, and one of them tensors that the others do not have.
    @Test(arguments: [2, 3])
    func processesWriteTheSameFilesTogether(ranks: Int) throws {
        try withFolder { folder in
            @Sendable func write(_ name: String, _ group: ProcessGroup) throws {
                let tensors = (0..<5).map { number in
                    ("w\(number)", Tensor.arange(0..<(7 + number), type: .float32) + Double(number))
                }
                var averages = DistributedState(tensors, ProcessGroup())
                if !group.isFirst { averages.pieces = [] }
                let writer = try CheckpointWriter(
                    RunDirectory(folder + "/" + name), step: 1, State(step: 1),
                    [
                        .init("model.safetensors", DistributedState(tensors, group)),
                        .init("averages.safetensors", averages),
                    ], keeping: TrainingSettings.Checkpoints())
                try group.together { if group.isFirst { try writer.prepare() } }
                writer.start()
                // What is written is as it was then.
                withoutGradient {
                    for (_, tensor) in tensors { tensor.assign(Tensor([Float(-1)])) }
                }
                try group.together { try writer.wait() }
                if group.isFirst { try writer.commit() }
            }
            try write("one", ProcessGroup())
            for result in try inRanks(ranks, { group in try write("many", group) }) {
                try result.get()
            }
            let checkpoints = ["/one", "/many"].map { RunDirectory(folder + $0).checkpoint(1) }
            let files = try names(in: checkpoints[0])
            #expect(files == ["averages.safetensors", "model.safetensors", "state.json"])
            #expect(try names(in: checkpoints[1]) == files)
            for file in files {
                #expect(
                    try bytes(of: checkpoints[0] + "/" + file)
                        == bytes(of: checkpoints[1] + "/" + file))
            }
        }
    }

    @Test func aPartThatCannotBeWrittenIsSaid() throws {
        try withFolder { folder in
            let tensors = [("w", Tensor.zeros([3]))]
            let writer = try CheckpointWriter(
                RunDirectory(folder), step: 1, State(step: 1),
                [.init("model.safetensors", DistributedState(tensors, ProcessGroup()))],
                keeping: TrainingSettings.Checkpoints())
            try writer.prepare()
            try FileManager.default.removeItem(atPath: folder + "/checkpoints/partial-1")
            writer.start()
            let error = #expect(throws: LoopyError.self) { try writer.wait() }
            #expect(error?.category == .output)
            #expect(throws: LoopyError.self) { try writer.isWritten() }
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

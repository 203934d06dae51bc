import Foundation
import Storage
import TestSupport
import Testing

/// Training in several processes, through the executable.
@Suite(.serialized)
struct ProcessesTests {
    private static let config = """
        preset: tiny
        model:
          { stage: image, latent_channels: 4, channels: [8, 16], attention: [true, true], norm_groups: 4 }
        steps: 6
        batch_size: 4
        precision: float32
        gradient_checkpointing: false
        optimiser: { learning_rate: 0.001, warmup_steps: 2 }
        masks: { reference: 0.5 }
        data: { shuffle: 8 }
        log_every: 1
        checkpoints: { every: 1 }
        validation: { windows: 0 }
        """

    private struct Line: Decodable {
        var step: Int
        var loss: Double
    }

    private func losses(_ run: String) throws -> [Int: Double] {
        let lines = try JSONLines.read(Line.self, from: run + "/metrics.jsonl")
        return Dictionary(lines.map { ($0.step, $0.loss) }, uniquingKeysWith: { $1 })
    }

    @Test func ranksTrainAsOneProcessDoesAndGoOnWhenOneWasKilled() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try writeTrainingShards(bench.dataset("d"))
        try bench.write(Self.config, to: "train.yaml")
        func arguments(_ run: String, _ others: [String] = []) -> [String] {
            [
                "train", bench.folder + "/train.yaml", "--shards", bench.dataset("d"), "--output",
                bench.folder + run,
            ] + others
        }
        func train(_ run: String, _ others: String...) throws -> Workbench.Result {
            try Workbench.run(Workbench.executables + "/loopy", arguments(run, others))
        }
        let one = try train("/one")
        #expect(one.status == 0, "\(one.errors)")

        // A rank is killed.
        let log = bench.folder + "/log"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Workbench.executables + "/loopy")
        process.arguments = arguments("/many", ["--processes", "2", "--steps", "100000"])
        try Data().write(to: URL(fileURLWithPath: log))
        process.standardError = FileHandle(forWritingAtPath: log)
        try process.run()
        let checkpoint = bench.folder + "/many/checkpoints/step-00000002"
        try Workbench.wait { FileManager.default.fileExists(atPath: checkpoint) }
        // Somebody else who wants to train this run waits until it ends.
        let waiting = Process()
        let waitingLog = bench.folder + "/waiting-log"
        waiting.executableURL = process.executableURL
        waiting.arguments = arguments("/many", ["--resume", "--steps", "1"])
        try Data().write(to: URL(fileURLWithPath: waitingLog))
        waiting.standardError = FileHandle(forWritingAtPath: waitingLog)
        try waiting.run()
        func saidMeanwhile() -> String {
            (try? String(contentsOfFile: waitingLog, encoding: .utf8)) ?? ""
        }
        try Workbench.wait { saidMeanwhile().contains("another process trains it") }

        let killed = try rank(1, of: bench.folder + "/many")
        kill(try #require(killed), SIGKILL)
        process.waitUntilExit()
        #expect(process.terminationStatus == 70)
        waiting.waitUntilExit()
        #expect(waiting.terminationStatus == 0)
        #expect(saidMeanwhile().contains("steps are done"))
        let said = try String(contentsOfFile: log, encoding: .utf8)
        #expect(said.contains("rank 1 of 2 died (Killed)"), "\(said)")
        #expect(try !Workbench.isRunning(bench.folder + "/many"))

        // Another number of ranks goes on, and is stopped, and one process ends it.
        let names = try FileManager.default.contentsOfDirectory(
            atPath: bench.folder + "/many/checkpoints")
        let last = try #require(names.compactMap { Int($0.dropFirst(5)) }.max())
        let more = try train(
            "/many", "--resume", "--processes", "4", "--steps", "\(last + 2)")
        #expect(more.status == 0, "\(more.errors)")
        let whole = try train("/one", "--resume", "--steps", "\(last + 2)")
        #expect(whole.status == 0, "\(whole.errors)")
        let (a, b) = (try losses(bench.folder + "/one"), try losses(bench.folder + "/many"))
        #expect(Set(a.keys).isSuperset(of: 1...(last + 2)) && b.keys.max() == last + 2)
        for (step, loss) in b {
            #expect(abs(loss - (a[step] ?? 0)) < 1e-5, "step \(step)")
        }

        let uneven = try train("/third", "--processes", "3")
        #expect(uneven.status == 64)
        #expect(uneven.errors.contains("batch_size: 4 clips cannot be shared out equally"))
        #expect(uneven.errors.components(separatedBy: "error:").count == 2)
    }

    /// The process of a rank of a run; nil where it does not run.
    private func rank(_ rank: Int, of run: String) throws -> pid_t? {
        for name in try FileManager.default.contentsOfDirectory(atPath: "/proc") {
            guard let identifier = pid_t(name), identifier > 1 else { continue }
            func read(_ file: String) -> String {
                let data = FileManager.default.contents(atPath: "/proc/\(name)/\(file)")
                return String(decoding: data ?? Data(), as: UTF8.self)
            }
            let environment = read("environ").split(separator: "\0")
            if read("cmdline").contains(run), environment.contains("RANK=\(rank)") {
                return identifier
            }
        }
        return nil
    }
}

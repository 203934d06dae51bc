import Foundation
import Testing

/// Several workers on one dataset, of which some are lost.
@Suite(.serialized)
struct WorkEndToEndTests {
    private func children(of process: Int32) throws -> [Int32] {
        try Workbench.run("/usr/bin/pgrep", ["-P", "\(process)"]).output
            .split(separator: "\n").compactMap { Int32($0) }
    }

    /// Waits until a worker is at a unit of a stage, and gives its processes.
    private func processes(of worker: Process, at stage: String) throws -> [Int32] {
        let id = worker.processIdentifier
        try Workbench.wait {
            try children(of: id).contains { child in
                let command = try? String(contentsOfFile: "/proc/\(child)/cmdline", encoding: .utf8)
                return command?.contains("loopy-\(stage)") == true
                    && command?.contains("--serve") == true
            }
        }
        return [id] + (try children(of: id))
    }

    @Test func workersOfWhichSomeAreLostMakeWhatOneRunMakes() throws {
        let (bench, pipeline) = try Workbench.forWorkers(lapse: 2)
        defer { bench.remove() }
        let one = bench.dataset("one"), many = bench.dataset("many")
        let arguments = [pipeline, "--input", bench.videos, "--dataset"]
        let alone = try Workbench.run(
            Workbench.executables + "/loopy", ["run"] + arguments + [one])
        #expect(alone.status == 0, "\(alone.errors)")

        let killed = try bench.start(["work"] + arguments + [many])
        for process in try processes(of: killed, at: "measure") { kill(process, SIGKILL) }
        let stopped = try bench.start(["work"] + arguments + [many])
        let frozen = try processes(of: stopped, at: "measure")
        for process in frozen { kill(process, SIGSTOP) }
        let other = try bench.start(["work"] + arguments + [many])
        other.waitUntilExit()
        #expect(other.terminationStatus == 0)
        // It goes on with what others have done meanwhile.
        for process in frozen { kill(process, SIGCONT) }
        stopped.waitUntilExit()
        #expect(stopped.terminationStatus == 0)
        #expect(try Workbench.differences(one, many) == [])
        #expect(try bench.loopy("verify", many).status == 0)
    }

    @Test func whoWouldMakeSomethingElseIsRefusedWhileOthersWork() throws {
        let (bench, pipeline) = try Workbench.forWorkers(lapse: 2)
        defer { bench.remove() }
        let dataset = bench.dataset("d")
        let arguments = [
            "work", pipeline, "--input", bench.videos, "--dataset", dataset, "--set",
            "run.lapse=60",
        ]
        let first = try bench.start(arguments)
        let frozen = try processes(of: first, at: "measure")
        // Its claim says what it makes with when it has loaded its plan.
        try Workbench.wait {
            let leases = dataset + "/.work/leases/measure"
            let names = (try? FileManager.default.contentsOfDirectory(atPath: leases)) ?? []
            return names.contains { name in
                let text = try? String(contentsOfFile: leases + "/" + name, encoding: .utf8)
                // Others are half written.
                return name.hasSuffix(".json") && text?.contains("fingerprint") == true
            }
        }
        for process in frozen { kill(process, SIGSTOP) }
        defer { for process in frozen { kill(process, SIGKILL) } }
        let status = try bench.loopy("status", "--dataset", dataset)
        #expect(status.output.contains("measure, unit 0000"), "\(status.output)")
        let mistyped = try bench.loopy("status", "--dataset", dataset + "s")
        #expect(mistyped.status == 65 && mistyped.errors.contains("there is no such dataset"))
        #expect(!FileManager.default.fileExists(atPath: dataset + "s"))
        let second = try Workbench.run(
            Workbench.executables + "/loopy",
            arguments + ["--set", "measure.limits.maximum_side=4000"])
        #expect(second.status == 65)
        #expect(second.errors.contains("another version of Loopy, other networks"))
    }

    @Test func onceBuildsOneUnitAndSaysWhetherThereIsMore() throws {
        let (bench, pipeline) = try Workbench.forWorkers(lapse: 2)
        defer { bench.remove() }
        let dataset = bench.dataset("d")
        func once() throws -> Workbench.Result {
            try bench.loopy(
                "work", pipeline, "--input", bench.videos, "--dataset", dataset, "--once",
                "--stage", "measure")
        }
        try bench.loopy("ingest", bench.videos, "--dataset", dataset)
        for (unit, status) in [("00001", Int32(0)), ("77777", 64)] {
            let run = try bench.loopy(
                "work", pipeline, "--dataset", dataset, "--stage", "measure", "--unit", unit)
            #expect(run.status == status, "\(run.errors)")
        }
        // A process to which nobody has said how threads are to wait begins again, and does the same.
        let left = try Workbench.run(
            "/usr/bin/env",
            [
                "-u", "OMP_WAIT_POLICY", Workbench.executables + "/loopy-measure", "--dataset",
                dataset, "--config", pipeline, "--pending",
            ])
        #expect(left.output.contains("00000\n") && !left.output.contains("00001"))
        var last = try once(), calls = 2
        while last.output.hasSuffix("more measure\n"), calls < 20 {
            #expect(last.status == 0)
            last = try once()
            calls += 1
        }
        #expect(last.output.hasSuffix("complete\n"), "\(last.output)\(last.errors)")
        let names = try FileManager.default.contentsOfDirectory(atPath: dataset)
        let folder = try #require(names.first { $0.hasPrefix("measurements-") })
        let units = try FileManager.default.contentsOfDirectory(atPath: dataset + "/" + folder)
            .filter { $0.hasSuffix(".tracks.tar") }
        // The last unit's call finds all of them there, and finishes the stage.
        #expect(units.count == calls || units.count == calls - 1)
    }
}

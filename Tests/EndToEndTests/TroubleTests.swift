import Dataset
import Foundation
import Storage
import Testing

/// What the world throws at a run: a clear line each, exit status 1, and nothing else lost.
@Suite(.serialized)
struct TroubleTests {
    @Test func brokenFilesCostNothingButThemselves() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let videos = bench.videos
        try bench.addSample("single_face.mp4", as: "good.mp4")
        try Data().write(to: URL(fileURLWithPath: videos + "/empty.mp4"))
        try bench.write("hello", to: "videos/text.mp4")
        try bench.write("#EXTM3U\n#EXTINF:1,\ngood.mp4\n", to: "videos/playlist.mp4")
        try bench.write("ffconcat version 1.0\nfile good.mp4\n", to: "videos/concat.mp4")
        let good = try Data(contentsOf: URL(fileURLWithPath: videos + "/good.mp4"))
        try good.prefix(good.count / 3).write(to: URL(fileURLWithPath: videos + "/cut.mp4"))
        try Workbench.ffmpeg(
            "-i", videos + "/good.mp4", "-vn", "-c:a", "aac", videos + "/audio.mp4")
        try Workbench.ffmpeg(
            "-f", "lavfi", "-i", "color=c=gray:s=64x64:d=0.04", "-frames:v", "1",
            videos + "/one-frame.mp4")
        symlink("/nowhere", videos + "/dangling.mp4")

        let dataset = bench.dataset("d")
        let run = try bench.loopy(
            "run", try bench.pipeline(), "--input", videos, "--dataset", dataset)
        #expect(run.status == 1)
        let failures = try JSONLines.read(Failure.self, from: dataset + "/failures.jsonl")
        let broken = Set(failures.compactMap { $0.path.map { ($0 as NSString).lastPathComponent } })
        #expect(
            broken == [
                "empty.mp4", "text.mp4", "playlist.mp4", "concat.mp4", "cut.mp4", "audio.mp4",
                "dangling.mp4",
            ])
        for name in broken { #expect(run.errors.contains(name), "a line names \(name)") }
        #expect(failures.first { $0.path?.hasSuffix("audio.mp4") == true }?.reason == "no-video")
        #expect(
            failures.first { $0.path?.hasSuffix("empty.mp4") == true }?.error
                == "is empty (0 bytes)")

        let decisions = try DatasetDirectory(dataset).selection()
        // Every source has a decision, also those that could not be opened.
        #expect(Set(decisions.map(\.source)).count == 9)
        #expect(
            decisions.first { $0.path.hasSuffix("good.mp4") }?.decision == .accept)
        #expect(decisions.first { $0.path.hasSuffix("one-frame.mp4") }?.rule == "no-face")
        #expect(try bench.loopy("verify", dataset).status == 0)
    }

    @Test func aWorkerThatHangsIsTriedTwiceAndTheRunGoesOn() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("single_face.mp4")
        let dataset = bench.dataset("d")
        let pipeline = try bench.pipeline {
            $0.replacingOccurrences(of: "threads: 1 }", with: "threads: 1, time_limit: 0.05 }")
        }
        let run = try bench.loopy("run", pipeline, "--input", bench.videos, "--dataset", dataset)
        #expect(run.status == 1)
        #expect(run.errors.contains("took longer than the time limit; trying again"))
        let failures = try JSONLines.read(Failure.self, from: dataset + "/failures.jsonl")
        #expect(failures.contains { $0.stage == "measure" && $0.reason == "crashed" })
        let decisions = try DatasetDirectory(dataset).selection()
        #expect(decisions.map(\.rule) == ["undecodable"])
    }

    @Test func aTerminatedRunStopsItsWorkersAndFailsNothing() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("WolfgangLanger_Pexels.mp4")
        let dataset = bench.dataset("d")
        let pipeline = try bench.pipeline()
        let process = try bench.start(
            "run", pipeline, "--input", bench.videos, "--dataset", dataset)
        // Once a worker is at its unit.
        try Workbench.wait { try Workbench.isRunning("loopy-measure.*\(dataset).*--serve") }
        process.terminate()
        process.waitUntilExit()
        #expect(process.terminationStatus == 130)
        try Workbench.wait { try !Workbench.isRunning(dataset) }
        let again = try bench.loopy(
            "run", pipeline, "--input", bench.videos, "--dataset", dataset)
        #expect(again.status == 0, "\(again.errors)")
    }

    @Test func mistakesInAPipelineFileAreNamed() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("single_face.mp4")
        let cases = [
            ("unit_seconds: 3", "unit_secnds: 3", "did you mean 'unit_seconds'?"),
            ("duration: {", "duratoin: {", "did you mean 'duration'?"),
            ("measure: {", "mesure: {", "did you mean 'measure'?"),
            ("unit_seconds: 3", "unit_seconds: soon", "unit_seconds"),
        ]
        for (right, wrong, message) in cases {
            let pipeline = try bench.pipeline { $0.replacingOccurrences(of: right, with: wrong) }
            let run = try bench.loopy(
                "run", pipeline, "--input", bench.videos, "--dataset",
                bench.dataset(UUID().uuidString))
            #expect(run.status == 64, "\(wrong): \(run.errors)")
            #expect(run.errors.contains(message), "\(run.errors)")
        }
    }

    @Test func aStageOutOfTurnSaysWhichOneToRun() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let dataset = bench.dataset("d")
        try bench.addSample("single_face.mp4")
        try bench.loopy("ingest", bench.videos, "--dataset", dataset)
        let select = try bench.loopy("select", "--dataset", dataset)
        #expect(select.status != 0)
        #expect(select.errors.contains("run loopy-measure first"))
    }

    @Test func verifyFindsWhatWasTamperedWith() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("single_face.mp4")
        let dataset = bench.dataset("d")
        try bench.loopy("run", try bench.pipeline(), "--input", bench.videos, "--dataset", dataset)
        let shards = try FileManager.default.contentsOfDirectory(atPath: dataset + "/shards")
            .filter { $0.hasSuffix(".tar") }
        let path = dataset + "/shards/" + shards[0]
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        try file.seek(toOffset: 5000)
        try file.write(contentsOf: Data([1, 2, 3, 4]))
        try file.close()
        let verify = try bench.loopy("verify", dataset)
        #expect(verify.status == 1)
        #expect(verify.output.contains("\(path): its bytes changed"))
    }

    /// A small file system can be filled; only root may mount one, and not in every container.
    private static let canMount: Bool = {
        let folder = NSTemporaryDirectory() + "loopy-test-mount-\(UUID().uuidString)"
        try? FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        guard mount(folder, "size=120k") else { return false }
        _ = try? Workbench.run("/usr/bin/umount", [folder])
        return true
    }()

    private static func mount(_ folder: String, _ options: String) -> Bool {
        let result = try? Workbench.run(
            "/usr/bin/mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder])
        return result?.status == 0
    }

    @Test(.enabled(if: canMount, "a small file system cannot be mounted here"))
    func aFullDiskIsSaidAndFinishedWorkIsKept() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("single_face.mp4")
        let small = bench.dataset("small")
        try FileManager.default.createDirectory(
            atPath: small, withIntermediateDirectories: true)
        try #require(Self.mount(small, "size=120k"))
        defer { _ = try? Workbench.run("/usr/bin/umount", [small]) }
        let pipeline = try bench.pipeline()
        let run = try bench.loopy("run", pipeline, "--input", bench.videos, "--dataset", small)
        #expect(run.status == 74, "\(run.errors)")
        #expect(run.errors.contains("No space left on device"))
        #expect(run.errors.contains("run again"))
        // With room, the same directory is finished.
        try #require(Self.mount(small, "remount,size=50m"))
        let again = try bench.loopy("run", pipeline, "--input", bench.videos, "--dataset", small)
        #expect(again.status == 0, "\(again.errors)")
        #expect(try bench.loopy("verify", small).status == 0)
    }
}

import Dataset
import Foundation
import Testing

@Suite(.serialized)
struct ChainTests {
    @Test func realVideosBecomeShardsInWhichEveryInvariantHolds() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("obama_speech.mp4")
        try bench.addSample("single_face.mp4")
        try bench.addSample("small.mp4")
        let dataset = bench.dataset("d")
        let run = try bench.loopy(
            "run", try bench.pipeline(), "--input", bench.videos, "--dataset", dataset)
        #expect(run.status == 0, "\(run.errors)")

        let decisions = try DatasetDirectory(dataset).selection()
        let accepted = decisions.filter { $0.decision == .accept }
        #expect(accepted.count >= 4)
        // Two faces, one speaks: the other is rejected for that.
        #expect(
            decisions.contains { $0.rule == "speaker" && $0.path.hasSuffix("obama_speech.mp4") })
        #expect(decisions.contains { $0.rule == "no-face" && $0.path.hasSuffix("small.mp4") })
        // The pieces of one candidate leave out no frame.
        let speech = accepted.filter { $0.path.hasSuffix("obama_speech.mp4") }
        for (a, b) in zip(speech, speech.dropFirst()) { #expect(a.end == b.start) }
        #expect(speech.first?.start == 0)
        #expect(abs((speech.last?.end ?? 0) - 8.76) < 0.1)

        let verify = try bench.loopy("verify", dataset, "--sources")
        #expect(verify.status == 0, "\(verify.output)")
        #expect(verify.output.contains("\(accepted.count) clips checked, 0 problems"))
    }

    @Test func shardsAreReadByPythonsWebDatasetUnchanged() throws {
        let python = Workbench.package + "/.deps/python/bin/python"
        try #require(
            FileManager.default.isExecutableFile(atPath: python), "Scripts/setup.sh python")
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("single_face.mp4")
        let dataset = bench.dataset("d")
        try bench.loopy("run", try bench.pipeline(), "--input", bench.videos, "--dataset", dataset)
        try bench.write(
            """
            import glob, sys
            import webdataset
            shards = sorted(glob.glob(sys.argv[1] + "/shards/*.tar"))
            for sample in webdataset.WebDataset(shards, shardshuffle=False).decode():
                facts, keypoints, motion = (
                    sample["json"], sample["keypoints.npy"], sample["motion.npy"])
                assert keypoints.shape == (facts["frames"], 68, 3) and keypoints.dtype == "float32"
                assert motion.shape == (facts["frames"] - 11, 2)
                speech = sample["speech.npy"]
                assert speech.shape == (facts["frames"], 1, 320) and speech.dtype == "float16"
                assert sample["mp4"][4:8] == b"ftyp" and sample["flac"][:4] == b"fLaC"
                print(sample["__key__"], facts["frames"], float(keypoints[:, 30, :2].mean()))
            """, to: "read.py")
        let read = try Workbench.run(python, [bench.folder + "/read.py", dataset])
        #expect(read.status == 0, "\(read.errors)")
        let accepted = try DatasetDirectory(dataset).selection().filter { $0.decision == .accept }
        let lines = read.output.split(separator: "\n").map { $0.split(separator: " ") }
        #expect(lines.map { String($0[0]) } == accepted.compactMap(\.key))
        // The nose is about in the middle of a 128-pixel crop.
        #expect(lines.allSatisfy { (40...88).contains(Double($0[2]) ?? 0) })
    }

    @Test func moreWorkersGiveTheSameBytes() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("obama_speech.mp4")
        try bench.addSample("face_noface.mov")
        try bench.write("not a video", to: "videos/text.mp4")
        let pipeline = try bench.pipeline()
        let one = bench.dataset("one"), two = bench.dataset("two")
        let first = try bench.loopy(
            "run", pipeline, "--input", bench.videos, "--dataset", one, "--workers", "1")
        let second = try bench.loopy(
            "run", pipeline, "--input", bench.videos, "--dataset", two, "--workers", "2")
        #expect(first.status == 1)
        #expect(second.status == 1)
        #expect(try Workbench.contents(one).count > 20)
        #expect(try Workbench.differences(one, two) == [])
    }

    @Test func killedAtAnyMomentARunGoesOnToTheSameBytes() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("obama_speech.mp4")
        try bench.addSample("single_face.mp4")
        let pipeline = try bench.pipeline()
        let quiet = bench.dataset("quiet"), killed = bench.dataset("killed")
        try bench.loopy("run", pipeline, "--input", bench.videos, "--dataset", quiet)
        var hits = 0
        for delay in [0.15, 0.9, 1.7, 2.3, 2.9, 0.6, 1.1] {
            let process = try bench.start(
                "run", pipeline, "--input", bench.videos, "--dataset", killed)
            Thread.sleep(forTimeInterval: delay)
            hits += process.isRunning ? 1 : 0
            kill(process.processIdentifier, SIGKILL)
            // Its workers too, as a machine that goes down would.
            _ = try Workbench.run("/usr/bin/pkill", ["-9", "-f", killed])
            process.waitUntilExit()
        }
        #expect(hits > 0)
        let last = try bench.loopy(
            "run", pipeline, "--input", bench.videos, "--dataset", killed)
        #expect(last.status == 0, "\(last.errors)")
        #expect(try Workbench.differences(killed, quiet) == [])
    }
}

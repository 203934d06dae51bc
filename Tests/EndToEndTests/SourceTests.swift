import Dataset
import Foundation
import Storage
import Testing

/// Sources that are not as one would wish, through the executables.
@Suite(.serialized)
struct SourceTests {
    /// All clips whole, and nothing rejected that was seen for two seconds.
    private func stages(_ bench: Workbench, _ inputs: [String]) throws -> String {
        let dataset = bench.dataset("d"), pipeline = try bench.pipeline()
        try #require(
            try Workbench.run(
                Workbench.executables + "/loopy",
                ["ingest"] + inputs + ["--dataset", dataset, "--config", pipeline]
            ).status == 0)
        for stage in ["measure", "select", "crop"] {
            let run = try bench.loopy(
                stage, "--dataset", dataset, "--config", pipeline, "--set",
                "select.clips.maximum_seconds=30")
            try #require(run.status == 0, "\(stage): \(run.errors)")
        }
        return dataset
    }

    /// 6 s of pictures and 4.5 s of sound are 4.5 s of candidates: nobody speaks in silence.
    @Test func candidatesEndWhereTheSoundEnds() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try Workbench.ffmpeg(
            "-i", Workbench.samples + "/obama_speech.mp4", "-t", "6", "-af", "atrim=end=4.5",
            "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", bench.videos + "/short.mp4")
        let dataset = try stages(bench, [bench.videos])
        let decisions = try DatasetDirectory(dataset).selection()
        #expect(decisions.map(\.frames.upperBound).max() == 112)
        let accepted = decisions.filter { $0.decision == .accept }
        #expect(accepted.map(\.frames) == [0..<112])
        let catalogue = try Catalogue.read(DatasetDirectory(dataset))
        let sound = try #require(catalogue.columns["audio"])
        let folder = dataset + "/" + sound.folder
        let record = try #require(
            try FileManager.default.contentsOfDirectory(atPath: folder)
                .first { $0.hasSuffix(".json") })
        #expect(
            try JSONLines.readDocument(UnitRecord.self, from: folder + "/" + record).frames
                == [112])
    }

    @Test func aNameThatIsNotUTF8IsReadByEveryStage() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("single_face.mp4", as: "a.mp4")
        let path = RecordedPath(bench.videos).appending([0xFF] + Array(" %41.mp4".utf8))
        try #require(path.withCString { rename(bench.videos + "/a.mp4", $0) } == 0)
        let dataset = try stages(bench, [bench.videos])
        let decisions = try DatasetDirectory(dataset).selection()
        #expect(decisions.map(\.decision) == [.accept])
        #expect(decisions.map(\.path) == ["file://\(bench.videos)/%FF%20%2541.mp4"])
        #expect(RecordedPath(decisions[0].path).bytes == path.bytes)
        let verify = try bench.loopy("verify", dataset, "--sources")
        #expect(verify.status == 0, "\(verify.output)")
        let sheet = try bench.loopy("sheet", "--dataset", dataset, "--output", dataset + "/s.png")
        #expect(sheet.status == 0, "\(sheet.errors)")

        // The name on the command line, absolute and relative, given to the stage and to `loopy`.
        for command in ["loopy-ingest '%s'", "cd '\(bench.videos)' && loopy ingest"] {
            let name = command.contains("cd") ? "" : bench.videos + "/"
            let shell = """
                PATH='\(Workbench.executables)':$PATH
                name="$(printf '%s\\377 %%41.mp4' '\(name)')"
                \(command.replacingOccurrences(of: " '%s'", with: "")) "$name" --dataset '\(dataset)'
                """
            let ingest = try Workbench.run("/bin/bash", ["-c", shell])
            #expect(ingest.status == 0, "\(ingest.errors)")
            #expect(try DatasetDirectory(dataset).sources().map(\.path) == decisions.map(\.path))
        }
    }

    /// What is in no way an error ends with the numbers and where to look.
    @Test func aRunWithoutAClipEndsWell() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try FileManager.default.createDirectory(
            atPath: bench.folder + "/empty", withIntermediateDirectories: true)
        let pipeline = try bench.pipeline {
            $0.replacingOccurrences(of: "speech: }", with: "speech: , latents: { side: 64 } }")
        }
        let none = try bench.loopy(
            "run", pipeline, "--input", bench.folder + "/empty", "--dataset", bench.dataset("e"))
        #expect(none.status == 0, "\(none.errors)")
        #expect(none.output.contains("no video was found"))

        try bench.addSample("small.mp4")
        let dataset = bench.dataset("d")
        let faceless = try bench.loopy(
            "run", pipeline, "--input", bench.videos, "--dataset", dataset)
        #expect(faceless.status == 0, "\(faceless.errors)")
        #expect(faceless.output.contains("1 by no-face"))
        #expect(faceless.output.contains("loopy sheet --dataset \(dataset)"))
        let sheet = try bench.loopy("sheet", "--dataset", dataset, "--output", dataset + "/s.png")
        #expect(sheet.status == 0, "\(sheet.errors)")
        #expect(try bench.loopy("verify", dataset).status == 0)
    }

    /// Shards of clips that rules reject now do not stay.
    @Test func whenTheRulesRejectEveryClipTheShardsGo() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("single_face.mp4")
        let dataset = bench.dataset("d"), pipeline = try bench.pipeline()
        let run = ["run", pipeline, "--input", bench.videos, "--dataset", dataset]
        try #require(try Workbench.run(Workbench.executables + "/loopy", run).status == 0)
        #expect(try Catalogue.read(DatasetDirectory(dataset)).shards.count == 1)
        let strict = try Workbench.run(
            Workbench.executables + "/loopy", run + ["--set", "select.rules.duration.minimum=60"])
        #expect(strict.status == 0, "\(strict.errors)")
        #expect(strict.output.contains("no candidate is accepted"))
        #expect(try Catalogue.read(DatasetDirectory(dataset)).shards == [])
        #expect(try bench.loopy("verify", dataset).status == 0)
    }
}

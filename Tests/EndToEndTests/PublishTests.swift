import Dataset
import Foundation
import Storage
import TestSupport
import Testing

/// A dataset that is given to others, and made again from what they were given.
@Suite(.serialized)
struct PublishEndToEndTests {
    private static let python = Workbench.package + "/.deps/python/bin/python"
    private static let hasDatasets =
        (try? String(
            contentsOfFile: Workbench.package + "/.deps/python/.complete", encoding: .utf8))?
        .contains("datasets") == true

    /// Two videos, one of them below another folder, as a dataset with every column.
    private func makeDataset(_ bench: Workbench) throws -> String {
        try bench.addSample("single_face.mp4")
        try FileManager.default.createDirectory(
            atPath: bench.videos + "/private", withIntermediateDirectories: true)
        try bench.addSample("obama_speech.mp4", as: "private/obama_speech.mp4")
        // A setting that is not used, and names a file of this machine.
        let pipeline = try bench.pipeline {
            $0.replacingOccurrences(
                of: "keypoints: ,",
                with: "keypoints: { dwpose: { pose: \(bench.folder)/pose.onnx } },"
            ).replacingOccurrences(of: "speech: }", with: "speech: , latents: }")
        }
        let dataset = bench.dataset("dataset")
        let run = try bench.loopy("run", pipeline, "--input", bench.videos, "--dataset", dataset)
        try #require(run.status == 0, "\(run.errors)")
        return dataset
    }

    /// What is to be found nowhere in a published folder: the folders of this machine.
    private func requireNoPaths(_ bench: Workbench, _ folder: String) throws {
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder) {
            guard let data = FileManager.default.contents(atPath: folder + "/" + name) else {
                continue
            }
            for text in [bench.folder, NSHomeDirectory() + "/", "private/"] {
                #expect(data.range(of: Data(text.utf8)) == nil, "\(name) holds \(text)")
            }
        }
    }

    private func members(_ shard: String) throws -> Set<String> {
        Set(try TarReader(shard).members.map { String($0.name.drop { $0 != "." }) })
    }

    @Test func shardsAreLinkedAndTheSameDatasetGivesTheSameBytes() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let dataset = try makeDataset(bench)
        let published = bench.dataset("published")
        let first = try bench.loopy("publish", dataset, "--to", published, "--licence", "cc-by-4.0")
        #expect(first.status == 0, "\(first.errors)")
        for shard in try Catalogue.read(DatasetDirectory(dataset)).shards {
            let (original, link) = (
                "\(dataset)/shards/\(shard.name)", "\(published)/shards/\(shard.name)"
            )
            let files = try [original, link].map {
                try FileManager.default.attributesOfItem(atPath: $0)[.systemFileNumber] as? Int
            }
            #expect(files[0] == files[1])
        }
        try requireNoPaths(bench, published)
        #expect(try bench.loopy("verify", published).status == 0)

        let card = try String(contentsOfFile: published + "/README.md", encoding: .utf8)
        #expect(card.hasPrefix("---\nlicense: \"cc-by-4.0\"\n"))
        for text in [
            "| candidates |", "| `duration` | 2 |", "## Splits", "Every rule was applied.",
            "| latents | `KEY.latents.npy` |",
        ] { #expect(card.contains(text), "\(text) in \(card)") }

        // Twice the same: also elsewhere, and where one file was damaged and another is of no use any more.
        let again = bench.dataset("again")
        try bench.loopy("publish", dataset, "--to", again, "--licence", "cc-by-4.0")
        #expect(try Workbench.differences(published, again) == [])
        try "?".write(toFile: published + "/sources.jsonl", atomically: true, encoding: .utf8)
        try "mine".write(toFile: published + "/notes.txt", atomically: true, encoding: .utf8)
        #expect(try bench.loopy("verify", published).status == 1)
        try bench.loopy("publish", dataset, "--to", published, "--licence", "cc-by-4.0")
        #expect(try Workbench.differences(published, again) == ["notes.txt"])
    }

    @Test func filesOfOthersAreNotReplaced() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let dataset = try makeDataset(bench)
        let published = bench.dataset("published")
        try OutputFile.write(Array("mine".utf8), to: published + "/README.md")
        let refused = try bench.loopy("publish", dataset, "--to", published)
        #expect(refused.status == 74)
        #expect(refused.errors.contains("README.md: is there already"))
        #expect(try names(in: published) == ["README.md"])
        // Nor does a dataset become a publication of itself.
        #expect(try bench.loopy("publish", dataset, "--to", dataset).status == 74)

        unlink(published + "/README.md")
        let unnamed = try bench.loopy("publish", dataset, "--to", published)
        #expect(unnamed.status == 0 && unnamed.errors.contains("names no licence"))
        let card = published + "/README.md"
        #expect(try String(contentsOfFile: card, encoding: .utf8).contains("has named no licence"))
        // A card that the publisher has written on stays.
        try "mine, too".write(toFile: card, atomically: true, encoding: .utf8)
        for _ in 0..<2 {
            let kept = try bench.loopy("publish", dataset, "--to", published, "--licence", "mit")
            #expect(kept.status == 0 && kept.errors.contains("has been changed and stays"))
            #expect(try String(contentsOfFile: card, encoding: .utf8) == "mine, too")
        }
        // What is left out later is gone from the folder.
        try bench.loopy(
            "publish", dataset, "--to", published, "--without", "video", "--without", "keypoints")
        #expect(try names(in: published).contains("codecs") == false)
        let wrong = try bench.loopy("publish", dataset, "--to", published, "--without", "vidio")
        #expect(wrong.status == 64 && wrong.errors.contains("video"))
        try FileManager.default.createDirectory(
            atPath: bench.dataset("empty"), withIntermediateDirectories: true)
        let empty = try bench.loopy("publish", bench.dataset("empty"), "--to", published)
        #expect(empty.status == 65 && empty.errors.contains("run loopy-pack first"))
    }

    @Test func annotationsAndSourcesMakeTheSameDataset() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let dataset = try makeDataset(bench)
        let published = bench.dataset("published")
        let publishing = try bench.loopy(
            "publish", dataset, "--to", published, "--without", "video")
        #expect(publishing.status == 0, "\(publishing.errors)")
        #expect(publishing.output.contains("not published: video, audio, speech, latents"))
        try requireNoPaths(bench, published)
        #expect(try names(in: published).contains("codecs") == false)
        let shards = try names(in: published + "/shards")
        for shard in shards {
            let kept = try members("\(published)/shards/\(shard)")
            #expect(kept == [".keypoints.npy", ".motion.npy", ".json"])
        }

        // The same videos under other names in another folder, and one that is none of them.
        let others = bench.dataset("elsewhere")
        try FileManager.default.createDirectory(atPath: others, withIntermediateDirectories: true)
        for (from, to) in [
            ("single_face.mp4", "single_face.mp4"), ("private/obama_speech.mp4", "speech.mp4"),
        ] {
            try FileManager.default.copyItem(
                atPath: bench.videos + "/" + from, toPath: others + "/" + to)
        }
        try FileManager.default.copyItem(
            atPath: Workbench.samples + "/small.mp4", toPath: others + "/obama_speech.mp4")
        let made = bench.dataset("made")
        let run = try bench.loopy(
            "run", published + "/pipeline.yaml", "--input", others, "--dataset", made, "--set",
            "ingest.annotations=\(published)", "--workers", "1", "--set", "run.threads=1")
        #expect(run.status == 0, "\(run.errors)")
        #expect(try bench.loopy("verify", made, "--sources").status == 0)

        func clips(_ dataset: String) throws -> [Decision] {
            try DatasetDirectory(dataset).selection().filter { $0.decision == .accept }.map {
                var clip = $0
                clip.path = ""
                return clip
            }
        }
        #expect(try clips(made) == clips(dataset))
        let (old, new) = (
            try Catalogue.read(DatasetDirectory(dataset)),
            try Catalogue.read(DatasetDirectory(made))
        )
        #expect(new.columns.mapValues(\.fingerprint) == old.columns.mapValues(\.fingerprint))
        #expect(new.selection == old.selection && new.rulesNotApplied == old.rulesNotApplied)
        #expect(new.shards.map(\.clips) == old.shards.map(\.clips))
        for column in old.columns.values {
            let folders = [dataset, made].map { $0 + "/" + column.folder }
            #expect(try Workbench.differences(folders[0], folders[1]) == [])
        }
        // A shard says what a source's file is called, which is another name for one of them.
        for shard in old.shards.map(\.name) {
            let archives = try [dataset, made].map { try TarReader("\($0)/shards/\(shard)") }
            #expect(archives[0].members.map(\.name) == archives[1].members.map(\.name))
            for member in archives[0].members where !member.name.hasSuffix(".json") {
                #expect(try archives[0].read(member.name) == archives[1].read(member.name))
            }
        }
    }

    @Test func whatIsMissingIsNamedAndTheOthersAreMade() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let dataset = try makeDataset(bench)
        let published = bench.dataset("published")
        try bench.loopy("publish", dataset, "--to", published, "--without", "video")
        func ingest(_ into: String, _ videos: String...) throws -> Workbench.Result {
            try Workbench.run(
                Workbench.executables + "/loopy",
                ["ingest", "--format", "loopy", published, "--dataset", bench.dataset(into)]
                    + videos.flatMap { ["--videos", $0] })
        }
        // One is missing, and a damaged copy has its name.
        let damaged = bench.dataset("damaged")
        try FileManager.default.createDirectory(atPath: damaged, withIntermediateDirectories: true)
        try OutputFile.write(
            bytes(of: bench.videos + "/private/obama_speech.mp4").dropLast() + [0],
            to: damaged + "/obama_speech.mp4")
        let partial = try ingest("partial", bench.videos + "/single_face.mp4", damaged)
        #expect(partial.status == 0, "\(partial.errors)")
        #expect(partial.output.contains("listed    2 videos"))
        #expect(partial.output.contains("imported  1 videos"))
        #expect(partial.output.contains("1 listed and not on disk: obama_speech.mp4"))
        #expect(partial.errors.contains("another version of the video?"))
        let directory = DatasetDirectory(bench.dataset("partial"))
        let digest = try Digest.ofFile(bench.videos + "/single_face.mp4")
        #expect(try directory.sources().map(\.digest) == [digest])
        let all = try DatasetDirectory(dataset).selection()
        let own = all.filter { $0.source == digest }.compactMap(\.key)
        #expect(try !own.isEmpty && directory.selection().map(\.key) == own)

        let none = try ingest("none", damaged)
        #expect(none.status == 1)
        let wrong = try bench.loopy(
            "ingest", "--format", "loopy", bench.videos, "--videos", bench.videos, "--dataset",
            bench.dataset("none"))
        #expect(wrong.status == 65 && wrong.errors.contains("that 'loopy publish' wrote"))
    }

    @Test(.enabled(if: hasDatasets, "Scripts/setup.sh python"))
    func publishedFoldersAreReadByDatasetsAndWebDataset() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let dataset = try makeDataset(bench)
        try bench.write(
            """
            import glob, os, sys
            os.environ.update(HF_HOME=sys.argv[2], HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
            import datasets, numpy, webdataset
            folder, kind = sys.argv[1], sys.argv[3]
            splits = datasets.load_dataset(folder)
            streamed = datasets.load_dataset(folder, streaming=True)
            count = 0
            for name, clips in splits.items():
                file = name.replace("validation", "val")
                notes = datasets.load_dataset(
                    "json", data_files=f"{folder}/metadata/{file}.jsonl", split="train")
                assert len(notes) == len(clips) > 0
                assert [n["key"] for n in streamed[name].map(lambda c: {"key": c.get("__key__", c.get("key"))})] \\
                    == list(notes["key"])
                count += len(clips)
                if kind == "annotations":
                    assert clips.features["metrics"]["duration"].dtype == "float64", clips.features
                    continue
                json = clips.features["json"]
                assert json["start"].dtype == "float64" and json["frames"].dtype == "int64"
                assert json["metrics"]["syncnet_offset"].dtype == "float64"
                for clip in clips:
                    frames = clip["json"]["frames"]
                    assert numpy.array(clip["keypoints.npy"]).shape == (frames, 68, 3)
                    assert len(clip["motion.npy"]) == frames - 11
                    if kind == "all":
                        assert len(clip["mp4"]) > 1000 and clip["flac"][:4] == b"fLaC"
                        assert numpy.array(clip["speech.npy"]).shape[0] == frames
                        assert numpy.array(clip["latents.npy"]).ndim == 4
                    else:
                        assert "mp4" not in clip and "flac" not in clip
            assert count >= 3, count
            if kind != "annotations":
                shards = sorted(glob.glob(folder + "/shards/*.tar"))
                clips = list(webdataset.WebDataset(shards, shardshuffle=False).decode())
                assert len(clips) == count
                assert all(c["keypoints.npy"].dtype == "float32" for c in clips)
            """, to: "read.py")
        for (kind, without) in [
            ("all", []), ("points", ["video"]), ("annotations", ["video", "keypoints", "motion"]),
        ] {
            let published = bench.dataset("published-" + kind)
            let made = try Workbench.run(
                Workbench.executables + "/loopy",
                ["publish", dataset, "--to", published] + without.flatMap { ["--without", $0] })
            #expect(made.status == 0, "\(made.errors)")
            try requireNoPaths(bench, published)
            let reading = try Workbench.run(
                Self.python,
                [bench.folder + "/read.py", published, bench.folder + "/cache-" + kind, kind])
            #expect(reading.status == 0, "\(kind): \(reading.errors.suffix(2000))")
        }
    }
}

import Foundation
import Testing

/// Shards as Hugging Face's `datasets` reads them.
@Suite struct HuggingFaceEndToEndTests {
    private static let python = Workbench.package + "/.deps/python/bin/python"
    private static let hasDatasets =
        (try? String(
            contentsOfFile: Workbench.package + "/.deps/python/.complete", encoding: .utf8))?
        .contains("datasets") == true

    @Test(.enabled(if: hasDatasets, "Scripts/setup.sh python"))
    func shardsAreADataset() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("single_face.mp4")
        try bench.addSample("obama_speech.mp4")
        let pipeline = try bench.pipeline {
            $0.replacingOccurrences(of: "{ val: 0.3, test: 0 }", with: "{ val: 0, test: 0 }")
        }
        let dataset = bench.dataset("dataset")
        let run = try bench.loopy("run", pipeline, "--input", bench.videos, "--dataset", dataset)
        #expect(run.status == 0, "\(run.errors)")

        try bench.write(
            """
            import os, sys
            os.environ.update(HF_HOME=sys.argv[2], HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
            import datasets
            folder = sys.argv[1]
            by_folder = datasets.load_dataset(folder)["train"]
            by_files = datasets.load_dataset(
                "webdataset", data_files={"train": folder + "/train-*.tar"}, split="train")
            for clips in (by_folder, by_files):
                assert len(clips) >= 2, len(clips)
                assert clips.features["json"]["start"].dtype == "float64"
                assert clips.features["json"]["metrics"]["duration"].dtype == "float64"
                for clip in clips.select_columns(["json", "mp4", "keypoints.npy", "motion.npy"]):
                    frames = clip["json"]["frames"]
                    assert len(clip["mp4"]) > 1000
                    assert len(clip["keypoints.npy"]) == frames == len(clip["motion.npy"]) + 11
            """, to: "read.py")
        let reading = try Workbench.run(
            Self.python, [bench.folder + "/read.py", dataset + "/shards", bench.folder + "/cache"])
        #expect(reading.status == 0, "\(reading.errors.suffix(2000))")

        // A card of the user's own stays.
        let card = dataset + "/shards/README.md"
        try "mine".write(toFile: card, atomically: true, encoding: .utf8)
        #expect(try bench.loopy("pack", "--dataset", dataset).status == 0)
        #expect(try String(contentsOfFile: card, encoding: .utf8) == "mine")
    }
}

import Foundation
import Testing

/// Values that make no sense, given to the executables: a message and status 64, never a trap.
@Suite struct SettingValuesTests {
    @Test(arguments: [
        ("loopy-ingest VIDEOS", "ingest.limits.maximum_duration=.nan"),
        ("loopy-ingest VIDEOS", "ingest.limits.maximum_side=-1"),
        ("loopy-measure", "measure.unit_seconds=.inf"),
        ("loopy-measure", "measure.near_detector=''"),
        ("loopy-select", "select.clips.face_share=0"),
        ("loopy-select", "select.clips.maximum_seconds=.inf"),
        ("loopy-select", "select.rules.rotation.minimum=.nan"),
        ("loopy-crop", "crop.video.size=9223372036854775807"),
        ("loopy-crop", "crop.video.preset=quick"),
        ("loopy-extract speech", "extract.speech.chunk_seconds=1e308"),
        ("loopy-extract latents", "extract.latents.patch=0"),
        ("loopy-pack", "pack.columns=['']"),
        ("loopy-train TRAIN --shards VIDEOS --output RUN", "train.seed=-1"),
        ("loopy-train TRAIN --shards VIDEOS --output RUN", "train.model.norm_groups=0"),
        ("loopy-generate --run RUN --image X --audio X --output X", "generate.eta=-1"),
        ("loopy-evaluate --generated VIDEOS --output X", "evaluate.picture_step=0"),
        ("loopy model summary", "model.speech_channels=9223372036854775807"),
        ("loopy run PIPELINE --input VIDEOS", "run.time_limit=-1"),
        ("loopy run PIPELINE --input VIDEOS", "train.optimiser.learning_rate=0"),
    ])
    func valuesOutOfRangeAreRefusedByName(command: String, setting: String) throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let files = [
            "VIDEOS": bench.videos, "PIPELINE": try bench.pipeline(), "RUN": bench.dataset("run"),
            "TRAIN": Workbench.package + "/Pipelines/train-tiny-stage1.yaml",
        ]
        var words = command.split(separator: " ").map { files[String($0)] ?? String($0) }
        // A rule's minimum and maximum are one setting.
        let name = setting.prefix { $0 != "=" }.replacing(".minimum", with: "")
        let hasNoDataset = ["loopy-train", "loopy-generate", "loopy-evaluate", "model"]
        if !words.contains(where: hasNoDataset.contains) {
            words += ["--dataset", bench.dataset("d")]
        }
        let executable = Workbench.executables + "/" + words.removeFirst()
        let result = try Workbench.run(executable, words + ["--set", setting])
        #expect(result.status == 64, "\(result.status): \(result.errors)")
        #expect(result.errors.contains("error: \(name)"), "\(result.errors)")
    }

    @Test func aTimeLimitOfZeroIsNone() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("single_face.mp4")
        let pipeline = try bench.pipeline {
            $0.replacing("threads: 1 }", with: "threads: 1, time_limit: 0 }")
                .replacing("keypoints: , motion: , speech:", with: "speech:")
        }
        let run = try bench.loopy(
            "run", pipeline, "--input", bench.videos, "--dataset", bench.dataset("d"))
        #expect(run.status == 0, "\(run.errors)")
    }
}

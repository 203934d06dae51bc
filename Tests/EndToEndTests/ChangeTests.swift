import Dataset
import Foundation
import Storage
import Testing

/// What is done again when something changes, and what is not.
@Suite(.serialized)
struct ChangeTests {
    private func finishedDataset(_ bench: Workbench) throws -> (pipeline: String, dataset: String) {
        try bench.addSample("obama_speech.mp4")
        try bench.addSample("single_face.mp4")
        let pipeline = try bench.pipeline()
        let dataset = bench.dataset("d")
        let run = try bench.loopy(
            "run", pipeline, "--input", bench.videos, "--dataset", dataset)
        #expect(run.status == 0, "\(run.errors)")
        return (pipeline, dataset)
    }

    @Test func aSecondRunDoesNothingAgain() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let (pipeline, dataset) = try finishedDataset(bench)
        let before = try Workbench.times(dataset).filter { $0.key.contains("/") }
        let run = try bench.loopy(
            "run", pipeline, "--input", bench.videos, "--dataset", dataset)
        #expect(run.status == 0, "\(run.errors)")
        #expect(try Workbench.times(dataset).filter { $0.key.contains("/") } == before)
    }

    @Test func aRuleThatDropsClipsKeepsWhatWasMadeOfTheOthers() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let (pipeline, dataset) = try finishedDataset(bench)
        let measured = try Workbench.times(dataset).filter { $0.key.hasPrefix("measurements") }
        let formerClips = try DatasetDirectory(dataset).selection().compactMap(\.key)
        // single_face.mp4 is the only one that is shorter than four seconds.
        let run = try bench.loopy(
            "run", pipeline, "--input", bench.videos, "--dataset", dataset,
            "--set", "select.rules.duration.minimum=4")
        #expect(run.status == 0, "\(run.errors)")
        let after = try Workbench.times(dataset)
        #expect(after.filter { $0.key.hasPrefix("measurements") } == measured)
        let clips = try DatasetDirectory(dataset).selection().compactMap(\.key)
        #expect(clips.count == formerClips.count - 1)
        #expect(Set(clips).isSubset(of: formerClips))
        #expect(try bench.loopy("verify", dataset).status == 0)

        // The same as if the rule had been so from the beginning.
        let fresh = bench.dataset("fresh")
        try bench.loopy(
            "run", pipeline, "--input", bench.videos, "--dataset", fresh,
            "--set", "select.rules.duration.minimum=4")
        #expect(try Workbench.differences(fresh, dataset) == [])
    }

    @Test func anotherLandmarkFileRecomputesWhatDependsOnItAndNothingElse() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let (pipeline, dataset) = try finishedDataset(bench)
        let before = try Workbench.times(dataset)
        // The same network with a byte behind it: other weights, as far as a digest can tell.
        var network = try Data(
            contentsOf: URL(
                fileURLWithPath: Workbench.package
                    + "/Sources/Perception/Networks/face_landmark.tflite"))
        network.append(0)
        try network.write(to: URL(fileURLWithPath: bench.folder + "/other.tflite"))
        let run = try bench.loopy(
            "run", pipeline, "--input", bench.videos, "--dataset", dataset,
            "--set", "extract.keypoints.landmarks=\(bench.folder)/other.tflite")
        #expect(run.status == 0, "\(run.errors)")
        let after = try Workbench.times(dataset)
        func changed(_ prefix: String) -> Bool {
            after.contains { $0.key.hasPrefix(prefix) && before[$0.key] != $0.value }
        }
        #expect(changed("columns/keypoints-"))
        #expect(changed("columns/motion-"))
        #expect(changed("shards/"))
        #expect(!changed("columns/video-"))
        #expect(!changed("columns/audio-"))
        #expect(!changed("measurements-"))
    }

    @Test func newSourcesAreMeasuredAndOldOnesAreNot() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let (pipeline, dataset) = try finishedDataset(bench)
        let before = try Workbench.times(dataset).filter { $0.key.hasPrefix("measurements") }
        try bench.addSample("face_noface.mov", as: "a-first-by-name.mov")
        try bench.loopy("run", pipeline, "--input", bench.videos, "--dataset", dataset)
        let after = try Workbench.times(dataset).filter { $0.key.hasPrefix("measurements") }
        #expect(after.count > before.count)
        let kept = before.filter { after[$0.key] == $0.value }
        #expect(kept.count >= before.count - 3, "at most the last, half-filled unit is done again")
    }

    /// With the weights and steps that it has, over the new shards.
    @Test func anUnfinishedTrainingGoesOnWhenTheDatasetGrows() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("single_face.mp4")
        try bench.write(
            """
            preset: tiny
            model:
              { stage: image, latent_channels: 12, channels: [8, 16], attention: [true, true], norm_groups: 4 }
            precision: float32
            data: { shuffle: 4 }
            """, to: "small.yaml")
        let pipeline = try bench.pipeline {
            $0.replacingOccurrences(
                of: "speech: }", with: "speech: , latents: { side: 64, channels: 12 } }"
            ).replacingOccurrences(of: "threads: 1 }", with: "threads: 1, train: [small.yaml] }")
        }
        let dataset = bench.dataset("d")
        func run(_ settings: String...) throws -> String {
            let settings = (["select.split.val=0"] + settings).flatMap { ["--set", $0] }
            let result = try Workbench.run(
                Workbench.executables + "/loopy",
                ["run", pipeline, "--input", bench.videos, "--dataset", dataset] + settings)
            #expect(result.status == 0, "\(result.errors)")
            return result.errors
        }
        #expect(try !run("train.steps=2").contains("have changed"))

        try bench.addSample("obama_speech.mp4")
        let grown = try run("train.steps=4")
        #expect(grown.contains("the data have changed ("), "\(grown)")
        #expect(grown.contains("goes on with the weights of step 2"), "\(grown)")

        let other = ["train.steps=6", "train.data.shuffle=2"]
        #expect(try run(other[0], other[1]).contains("data.shuffle 2 instead of 4"))
        #expect(try !run(other[0], other[1]).contains("have changed"))
        let folder = dataset + "/runs/small"
        let checkpoints = try FileManager.default.contentsOfDirectory(
            atPath: folder + "/checkpoints")
        #expect(Set(checkpoints) == ["step-00000002", "step-00000004", "step-00000006"])
        struct Description: Decodable {
            struct Change: Decodable { var step: Int }
            var dataChanges: [Change]

            private enum CodingKeys: String, CodingKey { case dataChanges = "data_changes" }
        }
        let description = try JSONLines.readDocument(
            Description.self, from: folder + "/run.json")
        #expect(description.dataChanges.map(\.step) == [2, 4])
        #expect(!FileManager.default.fileExists(atPath: folder + ".1"))
    }
}

import Dataset
import Foundation
import Storage
import Testing

/// From videos to a model, through the executables.
@Suite(.serialized)
struct TrainEndToEndTests {
    @Test func clipsTrainBothStagesAndARunThatIsStoppedGoesOn() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("single_face.mp4")
        try bench.addSample("obama_speech.mp4")
        let pipeline = try bench.pipeline {
            $0.replacingOccurrences(
                of: "speech: }", with: "speech: , latents: { side: 64, channels: 12 } }")
        }
        let dataset = bench.dataset("d")
        let made = try bench.loopy(
            "run", pipeline, "--input", bench.videos, "--dataset", dataset, "--set",
            "select.split.val=0")
        #expect(made.status == 0, "\(made.errors)")

        let small = """
            preset: tiny
            model: { latent_channels: 12, channels: [8, 16], attention: [true, true], norm_groups: 4 }
            steps: 3
            precision: float32
            gradient_checkpointing: false
            optimiser: { learning_rate: 0.001, warmup_steps: 1 }
            data: { shuffle: 4 }
            log_every: 1
            checkpoints: { every: 1 }
            """
        try bench.write(small, to: "train.yaml")
        let config = bench.folder + "/train.yaml"
        func train(_ run: String, _ arguments: String...) throws -> Workbench.Result {
            try Workbench.run(
                Workbench.executables + "/loopy",
                ["train", config, "--shards", dataset + "/shards", "--output", bench.folder + run]
                    + arguments)
        }
        let first = try train("/first", "--set", "train.model.stage=image")
        #expect(first.status == 0, "\(first.errors)")
        let second = try train("/second", "--first-stage", bench.folder + "/first")
        #expect(second.status == 0, "\(second.errors)")

        // Stopped by SIGTERM, and by kill -9, and gone on with: the same bytes.
        let options = ["--first-stage", bench.folder + "/first", "--steps", "200"]
        for signal in [SIGTERM, SIGKILL] {
            let process = try bench.start(
                [
                    "train", config, "--shards", dataset + "/shards", "--output",
                    bench.folder + "/third", "--resume",
                ] + options)
            let before = try checkpoints(bench.folder + "/third").last ?? 0
            try Workbench.wait { try checkpoints(bench.folder + "/third").last ?? 0 > before + 1 }
            kill(process.processIdentifier, signal)
            process.waitUntilExit()
            #expect(signal == SIGKILL || process.terminationStatus == 130)
        }
        let steps = try #require(checkpoints(bench.folder + "/third").last)
        let last = try train("/third", "--resume", "--steps", "\(steps + 1)")
        #expect(last.status == 0, "\(last.errors)")
        let undisturbed = try train(
            "/fourth", "--first-stage", bench.folder + "/first", "--steps", "\(steps + 1)")
        #expect(undisturbed.status == 0, "\(undisturbed.errors)")
        for name in ["model", "averages", "optimiser"] {
            let files = ["/third", "/fourth"].map { run in
                bench.folder + run + "/checkpoints/"
                    + String(format: "step-%08d", steps + 1) + "/\(name).safetensors"
            }
            #expect(try Digest.ofFile(files[0]) == Digest.ofFile(files[1]), "\(name)")
        }

        let exported = try bench.loopy(
            "train", "export", "--run", bench.folder + "/second", "--output",
            bench.folder + "/weights")
        #expect(exported.status == 0, "\(exported.errors)")
        #expect(
            FileManager.default.fileExists(atPath: bench.folder + "/weights/codec.safetensors"))
        // The folder may go elsewhere: it names nothing of this machine.
        let description = try String(
            contentsOfFile: bench.folder + "/weights/config.json", encoding: .utf8)
        #expect(description.contains("\"codec.safetensors\""))
        #expect(!description.contains(bench.folder))

        // What cannot be done is said.
        let again = try train("/second")
        #expect(again.status == 64)
        #expect(again.errors.contains("--resume"))
        let typo = try train("/fifth", "--set", "train.optimiser.learning_rat=1")
        #expect(typo.status == 64)
        #expect(typo.errors.contains("did you mean 'learning_rate'?"))
        let other = try train("/sixth", "--set", "train.model.latent_channels=4")
        #expect(other.status == 65)
        #expect(other.errors.contains("latents have 12 channels"))
        let device = try train("/seventh", "--device", "cuda:9")
        #expect(device.status == 64)
        #expect(device.errors.contains("there is no device 'cuda:9' here"))
        #expect(!FileManager.default.fileExists(atPath: bench.folder + "/seventh"))

        // A full disk, at the run's description and at its checkpoint.
        guard Workbench.mayMountDisks else { return }
        for kilobytes in [8, 512] {
            let full = try bench.loopy(
                onDiskOf: kilobytes,
                [
                    "train", config, "--shards", dataset + "/shards", "--output",
                    bench.disk + "/run", "--set", "train.model.stage=image",
                ])
            #expect(full.status == 74, "\(full.errors)")
            #expect(full.errors.contains(bench.disk + "/run/"), "\(full.errors)")
        }
    }

    /// Steps of a run's checkpoints, rising.
    private func checkpoints(_ run: String) throws -> [Int] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: run + "/checkpoints"))
        return (names ?? []).compactMap { name in
            name.hasPrefix("step-") ? Int(name.dropFirst("step-".count)) : nil
        }.sorted()
    }
}

import Foundation
import Testing

/// The recipe for one speaker, from a video to a model that speaks what it has not heard: a few steps of
/// it.
@Suite(.serialized)
struct OneSpeakerTests {
    @Test func aVideoBecomesAModelThatIsComparedWithTheEndOfTheVideo() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let inputs = Workbench.package + "/.deps/portraits"
        let rendered = try Workbench.run(
            Workbench.executables + "/render-speaker",
            [
                "--portrait", inputs + "/portrait.jpg", "--speech", inputs + "/speech.wav",
                "--size", "256", "--seconds", "5", "--output", bench.videos + "/me.mp4",
            ])
        #expect(rendered.status == 0, "\(rendered.errors)")
        let dataset = bench.dataset("d")
        let settings = [
            "run.workers=1", "run.threads=1", "run.held_out_seconds=1",
            "select.rules.duration.minimum=1", "select.clips.maximum_seconds=1.2",
            "extract.latents.fit_steps=2", "train.steps=2", "train.batch_size=1",
            "train.validation.windows=1", "train.validation.samples=1", "train.validation.every=2",
            "train.sampling.num_inference_steps=2",
        ]
        let made = try Workbench.run(
            Workbench.executables + "/loopy",
            [
                "run", Workbench.package + "/Pipelines/one-speaker.yaml", "--input", bench.videos,
                "--dataset", dataset,
            ] + settings.flatMap { ["--set", $0] })
        #expect(made.status == 0, "\(made.errors)")

        // Both stages, the second in two parts, and what they make of held-out windows.
        for run in ["one-speaker-stage1", "one-speaker-looks", "one-speaker-stage2"] {
            let folder = "\(dataset)/runs/\(run)"
            #expect(exists(folder + "/checkpoints/step-00000002/model.safetensors"))
            #expect(exists(folder + "/samples/00000002.png"))
            #expect(exists(folder + "/codec.safetensors"))
        }
        // The end of the video, generated and compared.
        let report = try #require(
            JSONSerialization.jsonObject(
                with: Data(contentsOf: URL(fileURLWithPath: dataset + "/held-out/metrics.json")))
                as? [String: Any])
        let metrics = try #require(report["metrics"] as? [String: Any])
        #expect(metrics["mouth_r"] != nil && metrics["psnr"] != nil && metrics["grain"] != nil)
        let page = try Workbench.held(dataset + "/index.html")
        func text(_ name: String) -> String {
            String(decoding: page[name] ?? Data(), as: UTF8.self)
        }
        // After two steps no face need be found in what is generated: then there is no mouth to compare.
        #expect(text("figures.json").contains("psnr_mean_frame"))
        #expect(text("runs.json").contains("one-speaker-stage2"))
        #expect(text("videos.json").contains("\"psnr\":["))

        // The model speaks, with the steps that its training says.
        let output = bench.folder + "/out.mp4"
        let spoken = try bench.loopy(
            "generate", "--run", dataset + "/runs/one-speaker-stage2", "--image",
            inputs + "/portrait.jpg", "--audio", inputs + "/speech.wav", "--output", output)
        #expect(spoken.status == 0, "\(spoken.errors)")
        let record = try String(
            contentsOfFile: bench.folder + "/out.json", encoding: .utf8)
        #expect(record.contains("one-speaker-stage2"))
        // Run again, there is nothing to do.
        let again = try Workbench.run(
            Workbench.executables + "/loopy",
            [
                "run", Workbench.package + "/Pipelines/one-speaker.yaml", "--input", bench.videos,
                "--dataset", dataset,
            ] + settings.flatMap { ["--set", $0] })
        #expect(again.status == 0, "\(again.errors)")
    }

    private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
}

import Dataset
import Foundation
import Storage
import Testing

/// The column `speech` through the executables. The networks are small ones with random weights, in the
/// layouts in which wav2vec 2.0 is published.
@Suite(.serialized)
struct SpeechEndToEndTests {
    private static let networks = Workbench.package + "/Tests/SpeechTests/Fixtures"

    @Test func anotherSpeechEncoderRecomputesSpeechAndTheShardsAndNothingElse() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("single_face.mp4")
        let pipeline = try bench.pipeline()
        let dataset = bench.dataset("d")
        try bench.loopy(
            "run", pipeline, "--input", bench.videos, "--dataset", dataset, "--set",
            "measure.lip_sync=none")
        let catalogue = try Catalogue.read(DatasetDirectory(dataset))
        #expect(catalogue.columns["speech"]?.settings["encoder"]?.string == "log-mel")
        // Where lip-sync is not measured, every place says so.
        #expect(catalogue.rulesNotApplied.contains("sync_confidence"))
        let status = try bench.loopy("status", "--dataset", dataset)
        #expect(status.output.contains("sync_confidence"))

        for layout in ["base", "large"] {
            let before = try Workbench.times(dataset)
            let run = try bench.loopy(
                "run", pipeline, "--input", bench.videos, "--dataset", dataset, "--set",
                "measure.lip_sync=none", "--set", "extract.speech.encoder=wav2vec2", "--set",
                "extract.speech.weights=\(Self.networks)/\(layout)")
            #expect(run.status == 0, "\(run.errors)")
            let after = try Workbench.times(dataset)
            let changed = Set(
                after.filter { before[$0.key] != $0.value }.keys.map {
                    $0.prefix { $0 != "-" && $0 != "." }
                })
            #expect(changed.contains("columns/speech"))
            #expect(changed.contains { $0.hasPrefix("shards/") })
            #expect(
                !changed.contains { name in
                    ["video", "audio", "keypoints", "motion"].contains { name == "columns/" + $0 }
                        || name.hasPrefix("measurements")
                })
            let column = try #require(Catalogue.read(DatasetDirectory(dataset)).columns["speech"])
            #expect(column.settings["encoder"]?.string == "wav2vec2")
            #expect(column.settings["weights"]?.string == Self.networks + "/" + layout)
            #expect(column.networks.count == 2)
        }
        #expect(try bench.loopy("verify", dataset).status == 0)
    }

    @Test(arguments: ["before", "after"])
    func oneFileIsExtractedAsPyTorchDoes(alignment: String) throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let speech = try NumPyArray(
            decoding: Workbench.bytes(Self.networks + "/speech.npy"), name: "speech.npy")
        try Data(NumPyElement.int16.encode(speech.values)).write(
            to: URL(fileURLWithPath: bench.folder + "/speech.raw"))
        try Workbench.ffmpeg(
            "-f", "s16le", "-ar", "16000", "-ac", "1", "-i", bench.folder + "/speech.raw",
            bench.folder + "/speech.wav")
        try bench.write(
            """
            encoder: wav2vec2
            weights: \(Self.networks)/base
            alignment: \(alignment)Encoder
            dtype: float32
            """, to: "c.yaml")
        let run = try bench.loopy(
            "extract", "speech", "--input", bench.folder + "/speech.wav", "--output",
            bench.folder + "/out.npy", "--config", bench.folder + "/c.yaml")
        #expect(run.status == 0, "\(run.errors)")
        let found = try NumPyArray(
            decoding: Workbench.bytes(bench.folder + "/out.npy"), name: "out.npy")
        let expected = try NumPyArray(
            decoding: Workbench.bytes(Self.networks + "/base/\(alignment)_encoder.npy"),
            name: "expected")
        #expect(found.shape == expected.shape)
        let worst = zip(found.values, expected.values).map { abs($0 - $1) }.max() ?? 1
        #expect(worst < 1e-4)
    }

    @Test func wrongWeightsAreSaidAndNothingIsWritten() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let weights = bench.folder + "/weights"
        try FileManager.default.createDirectory(
            atPath: weights, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            atPath: Self.networks + "/base/config.json", toPath: weights + "/config.json")
        func extract() throws -> Workbench.Result {
            try bench.loopy(
                "extract", "speech", "--input", Workbench.samples + "/obama_speech.mp4", "--output",
                bench.folder + "/out.npy", "--set", "extract.speech.encoder=wav2vec2", "--set",
                "extract.speech.weights=\(weights)")
        }
        let missing = try extract()
        #expect(missing.status != 0)
        #expect(missing.errors.contains("model.safetensors"))
        try bench.write("<!DOCTYPE html><html></html>", to: "weights/model.safetensors")
        let page = try extract()
        #expect(page.status != 0)
        #expect(page.errors.contains("web page"))
        let whole = try Workbench.bytes(Self.networks + "/base/model.safetensors")
        try Data(whole[..<(whole.count / 2)]).write(
            to: URL(fileURLWithPath: weights + "/model.safetensors"))
        let half = try extract()
        #expect(half.status != 0)
        #expect(half.errors.contains("model.safetensors"))
        let unknown = try bench.loopy(
            "extract", "speech", "--input", Workbench.samples + "/obama_speech.mp4", "--output",
            bench.folder + "/out.npy", "--set", "extract.speech.encoder=wav2vec2", "--set",
            "extract.speech.weights=wav2vec2-bose")
        #expect(unknown.status == 64)
        #expect(unknown.errors.contains("wav2vec2-base"))
        #expect(!FileManager.default.fileExists(atPath: bench.folder + "/out.npy"))
    }

    @Test func soundlessFilesAreSaid() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try Workbench.ffmpeg(
            "-f", "lavfi", "-i", "testsrc=duration=1", bench.folder + "/mute.mp4")
        let run = try bench.loopy(
            "extract", "speech", "--input", bench.folder + "/mute.mp4", "--output",
            bench.folder + "/out.npy")
        #expect(run.status == 65)
        #expect(run.errors.contains("mute.mp4"))
        let both = try bench.loopy("extract", "speech", "--input", "x.wav")
        #expect(both.status == 64)
    }
}

import Dataset
import Diffusion
import Foundation
import Storage
import Testing
import Torch

/// The column `latents`, and `loopy model`, through the executables. The autoencoder is a small one with
/// random weights, in the layout in which Stable Diffusion's is published.
@Suite(.serialized)
struct LatentsEndToEndTests {
    private static let autoencoder = Workbench.package + "/Tests/DiffusionTests/Fixtures/vae"

    @Test func aDatasetFitsItsOwnCodecAndCodesEveryClip() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("single_face.mp4")
        let pipeline = try bench.pipeline {
            $0.replacingOccurrences(
                of: "speech: }", with: "speech: , latents: { side: 64, patch: 8, channels: 12 } }")
        }
        let one = bench.dataset("one"), two = bench.dataset("two")
        let first = try bench.loopy(
            "run", pipeline, "--input", bench.videos, "--dataset", one, "--workers", "1")
        #expect(first.status == 0, "\(first.errors)")
        #expect(first.errors.contains("fitted 12 components"))
        let second = try bench.loopy(
            "run", pipeline, "--input", bench.videos, "--dataset", two, "--workers", "2",
            "--set", "run.threads=2")
        #expect(second.status == 0, "\(second.errors)")
        #expect(try Workbench.differences(one, two) == [])

        let dataset = DatasetDirectory(one)
        let catalogue = try Catalogue.read(dataset)
        let column = try #require(catalogue.columns["latents"])
        #expect(column.facts == ["channels": 12, "factor": 8, "side": 64])
        #expect(column.settings["codec"]?.string == "patch-pca")
        let codecFile = try #require(column.settings["weights"]?.string)
        #expect(FileManager.default.fileExists(atPath: one + "/" + codecFile))
        let unit = try #require(ClipPlan(try dataset.selection()).units.first)
        let reader = try ColumnReader("latents", in: dataset, catalogue: catalogue)
        let record = try reader.record(unit)
        let archive = try reader.archive(unit)
        let bytes = try archive.read(reader.memberName(record.items[0]))
        let array = try NumPyArray(decoding: bytes, name: "latents")
        #expect(array.shape == [record.frames[0], 12, 8, 8])
        // Of about unit variance, as the model wants them.
        let values = Tensor(array.values)
        #expect((0.5...2).contains(values.variance().scalar))
        #expect(try bench.loopy("verify", one).status == 0)

        // Shards hold the column; the same codec serves another dataset.
        let shard = try TarReader(one + "/shards/" + (try #require(catalogue.shards.first)).name)
        #expect(shard.members.contains { $0.name.hasSuffix(".latents.npy") })
        let again = try bench.loopy(
            "extract", "latents", "--dataset", two, "--set",
            "extract.latents.weights=\(one)/\(codecFile)", "--set", "extract.latents.side=64")
        #expect(again.status == 0, "\(again.errors)")
        #expect(
            try Catalogue.read(DatasetDirectory(two)).columns["latents"]?.networks
                == column.networks)
    }

    @Test func oneFileIsCodedAsTheAutoencoderDoes() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let clip = bench.folder + "/clip.mp4"
        try Workbench.ffmpeg(
            "-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.2", "-pix_fmt", "yuv420p", clip)
        try bench.write(
            """
            codec: autoencoder
            weights: \(Self.autoencoder)
            dtype: float32
            """, to: "c.yaml")
        let run = try bench.loopy(
            "extract", "latents", "--input", clip, "--output", bench.folder + "/l.npy", "--config",
            bench.folder + "/c.yaml")
        #expect(run.status == 0, "\(run.errors)")
        let found = try NumPyArray(
            decoding: Workbench.bytes(bench.folder + "/l.npy"), name: "l.npy")
        #expect(found.shape == [5, 4, 6, 8])

        let raw = bench.folder + "/raw.rgb"
        try Workbench.ffmpeg("-i", clip, "-f", "rawvideo", "-pix_fmt", "rgb24", raw)
        let pixels = Tensor(
            try Workbench.bytes(raw).map { Float($0) / 127.5 - 1 }, shape: [5, 48, 64, 3])
        let codec = try AutoencoderKL(folder: Self.autoencoder)
        let expected = codec.encode(pixels.permuted(0, 3, 1, 2))
        let difference = Tensor(found.values, shape: found.shape) - expected
        #expect(difference.norm().scalar < 1e-5 * expected.norm().scalar)
    }

    @Test func whatCannotBeCodedIsSaid() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let clip = bench.folder + "/clip.mp4"
        try Workbench.ffmpeg(
            "-f", "lavfi", "-i", "testsrc2=s=60x44:r=25:d=0.2", "-pix_fmt", "yuv420p", clip)
        func extract(_ settings: String...) throws -> Workbench.Result {
            try Workbench.run(
                Workbench.executables + "/loopy",
                ["extract", "latents", "--input", clip, "--output", bench.folder + "/l.npy"]
                    + settings.flatMap { ["--set", "extract.latents." + $0] })
        }
        let cases: [([String], Int32, String)] = [
            (["codec=autoencoder", "weights=" + Self.autoencoder], 65, "extract.latents.side"),
            ([], 64, "give the codec's file"),
            (["codec=autoencoder", "weights=stable-diffusion-v1-5/veh"], 64, "did you mean"),
            (["codec=autoencoder", "weights=" + bench.folder], 65, "config.json: is missing"),
            (["codec=vae"], 64, "codec"), (["chanels=3"], 64, "did you mean 'channels'"),
            (["weights=" + clip], 65, "clip.mp4"),
        ]
        for (settings, status, message) in cases {
            let run = try Workbench.run(
                Workbench.executables + "/loopy",
                ["extract", "latents", "--input", clip, "--output", bench.folder + "/l.npy"]
                    + settings.flatMap { ["--set", "extract.latents." + $0] })
            #expect(run.status == status, "\(settings): \(run.errors)")
            #expect(run.errors.contains(message), "\(settings): \(run.errors)")
        }
        #expect(!FileManager.default.fileExists(atPath: bench.folder + "/l.npy"))
        // Brought to a side that fits, it is coded.
        let fitted = try extract(
            "codec=autoencoder", "weights=" + Self.autoencoder, "side=32")
        #expect(fitted.status == 0, "\(fitted.errors)")
    }

    @Test func theModelIsSummedUpWithoutAllocatingIt() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let paper = try bench.loopy("model", "summary")
        #expect(paper.status == 0)
        #expect(paper.output.contains("weight [320, 4, 3, 3]"))
        #expect(paper.output.contains("2,596,068,932"))
        let tiny = try bench.loopy(
            "model", "summary", "--preset", "tiny", "--depth", "1", "--batch", "2", "--precision",
            "bfloat16")
        #expect(tiny.status == 0)
        #expect(tiny.output.contains("memory for 2 x 12 frames of 32x32 latents"))
        let distilled = try bench.loopy(
            "model", "summary", "--preset", "small", "--depth", "0", "--set",
            "model.stage=distilled", "--set", "model.distilled_steps=5")
        #expect(distilled.status == 0)
        let row = distilled.output.split(separator: "\n").first { $0.contains("sampling steps") }
        #expect(row?.hasSuffix(" 5") == true && distilled.output.contains("  teacher "))
        try bench.write("model: { segments: { motion_frames: 60 }, heads: 3 }", to: "m.yaml")
        let odd = try bench.loopy(
            "model", "summary", "--config", bench.folder + "/m.yaml")
        #expect(odd.status == 64)
        #expect(odd.errors.contains("heads"))
        let unknown = try bench.loopy("model", "summary", "--preset", "sd51")
        #expect(unknown.status == 64)
        #expect(unknown.errors.contains("did you mean 'sd15'?"))
    }
}

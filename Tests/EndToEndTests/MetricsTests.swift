import Dataset
import Foundation
import Storage
import Testing
import Torch
import Weights

/// `loopy-evaluate` on folders of videos. The networks are small ones with random weights, of the
/// published forms.
@Suite(.serialized)
struct MetricsEndToEndTests {
    private static let networks = Workbench.package + "/Tests/EvaluationTests/Fixtures"
    private static let all = [
        "--set", "evaluate.fid=\(networks)/inception.pt", "--set",
        "evaluate.fvd=\(networks)/i3d.pt",
        "--set", "evaluate.efid=\(networks)/coefficients.pt", "--set",
        "evaluate.iqa=\(networks)/score.onnx", "--set", "evaluate.smoothness=\(networks)/score.pt",
        "--set",
        "evaluate.sync=none",
    ]

    private struct Report: Decodable {
        struct Figure: Decodable {
            let value: Double?
            let reason: String?
            let `protocol`: String
            let digest: String?
            let clips: Int
            let frames: Int
            let referenceClips: Int?

            private enum CodingKeys: String, CodingKey {
                case value, reason, `protocol`, digest, clips, frames
                case referenceClips = "reference_clips"
            }
        }

        struct Clip: Decodable {
            struct Value: Decodable {
                let value: Double
                let frames: Int
            }

            let video: String
            let frames: Int
            let values: [String: Value]
            let absent: [String: String]
        }

        let metrics: [String: Figure]
        let generated: [Clip]
        let reference: [Clip]
        let failures: [Failure]
    }

    private func report(_ bench: Workbench, _ name: String = "metrics.json") throws -> Report {
        try JSONDecoder().decode(
            Report.self, from: Data(contentsOf: URL(fileURLWithPath: bench.folder + "/" + name)))
    }

    /// Generated videos (one of them without a face) and references, a second each.
    private func folders() throws -> Workbench {
        let bench = try Workbench()
        for folder in ["generated", "reference"] {
            try FileManager.default.createDirectory(
                atPath: bench.folder + "/" + folder, withIntermediateDirectories: true)
        }
        for (name, sample, filters) in [
            ("generated/a.mp4", "single_face.mp4", "crop=320:320:140:40,eq=brightness=0.1"),
            ("generated/b.mp4", "obama_speech.mp4", "scale=320:240"),
            ("generated/c.mp4", "no_face.mp4", "scale=320:240"),
            ("reference/a.mp4", "single_face.mp4", "crop=320:320:140:40"),
            ("reference/b.mp4", "obama_speech.mp4", "scale=400:240"),
        ] {
            try Workbench.ffmpeg(
                "-i", Workbench.samples + "/" + sample, "-t", "1.4", "-vf", "fps=25," + filters,
                "-preset", "ultrafast", bench.folder + "/" + name)
        }
        return bench
    }

    private func evaluate(_ bench: Workbench, _ arguments: String...) throws -> Workbench.Result {
        try Workbench.run(
            Workbench.executables + "/loopy-evaluate",
            ["--generated", bench.folder + "/generated", "--threads", "1"] + arguments)
    }

    private func full(_ bench: Workbench, output: String) throws -> Workbench.Result {
        try Workbench.run(
            Workbench.executables + "/loopy-evaluate",
            [
                "--generated", bench.folder + "/generated", "--reference",
                bench.folder + "/reference", "--output", bench.folder + "/" + output, "--threads",
                "1",
            ] + Self.all)
    }

    @Test func everyMetricHasAFigureWithItsProtocolAndNetwork() throws {
        let bench = try folders()
        defer { bench.remove() }
        let run = try full(bench, output: "metrics.json")
        #expect(run.status == 0, "\(run.errors)")
        let found = try report(bench)
        for (name, digested) in [
            ("fid", true), ("fvd", true), ("efid", true), ("iqa", true), ("smoothness", true),
            ("glo", false), ("exp", false), ("dglo", false), ("dexp", false), ("psnr", false),
            ("ssim", false), ("face_found", false), ("mouth_r", false), ("mouth_lag", false),
            ("psnr_mean_frame", false), ("grain", false), ("grain_level", false),
        ] {
            let figure = try #require(found.metrics[name])
            #expect(figure.value != nil, "\(name): \(figure.reason ?? "")")
            #expect(figure.clips > 0 && figure.frames > 0)
            #expect(!figure.protocol.isEmpty)
            #expect((figure.digest != nil) == digested)
            #expect(run.output.contains(name))
        }
        #expect(found.metrics["fid"]?.clips == 3)
        #expect(found.metrics["fid"]?.referenceClips == 2)
        #expect(found.metrics["fid"]?.frames == 105)
        // Two clips of 16 frames in each of three videos of 35.
        #expect(found.metrics["fvd"]?.frames == 96)
        #expect(found.generated.map(\.video) == ["a.mp4", "b.mp4", "c.mp4"])
        // What one video does not have is said, and does not become 0.
        #expect(found.metrics["glo"]?.clips == 2)
        #expect(found.generated[2].values["glo"] == nil)
        #expect(found.generated[2].absent["glo"]?.contains("no face") == true)
        #expect(found.metrics["psnr"]?.clips == 1)
        #expect(found.generated[1].absent["psnr"]?.contains("400x240") == true)
        // Brighter by a tenth: 10 log10(1 / 0.1²), and a little noise.
        #expect(abs((found.metrics["psnr"]?.value ?? 0) - 20) < 1.5)
        #expect((found.generated[0].values["dglo"]?.value ?? 1) < 1e-4)

        // Nothing is measured again.
        let before = try Workbench.times(bench.folder + "/metrics.parts")
        #expect(try full(bench, output: "metrics.json").status == 0)
        #expect(try Workbench.times(bench.folder + "/metrics.parts") == before)
    }

    /// SyncNet of full size with random weights: the fixture's names, with sixteen times its channels.
    private func writeRandomSyncNet(to path: String) throws {
        let narrow = try Checkpoint(
            Workbench.package + "/Tests/PerceptionTests/Fixtures/syncnet/syncnet_v2.model")
        let generator = try Generator(seed: 5)
        let tensors = try narrow.names.map { name -> (name: String, tensor: Tensor) in
            let shape = try #require(narrow.tensor(name)).shape
            // All but the pictures' colours and the sound's one channel.
            let full = shape.enumerated().map { axis, length in
                axis == 0 || axis == 1 && length > 3 ? length * 16 : length
            }
            let values = Tensor.normal(full, generator: generator)
            let fanIn = Double(full.dropFirst().reduce(1, *))
            let isNorm =
                name.hasSuffix("running_var") || full.count == 1 && name.hasSuffix("weight")
            return (name, isNorm ? values.abs() + 0.5 : values / fanIn.squareRoot())
        }
        let file = try OutputFile(path)
        try SafeTensors.write(tensors: tensors, to: { try file.write($0) })
        try file.commit()
    }

    @Test func lipSyncIsScoredWhereThereIsSoundAndAFace() throws {
        let bench = try folders()
        defer { bench.remove() }
        let weights = bench.folder + "/syncnet_v2.model"
        try writeRandomSyncNet(to: weights)
        try Workbench.ffmpeg(
            "-i", bench.folder + "/generated/a.mp4", "-an", "-c", "copy",
            bench.folder + "/generated/silent.mp4")
        let arguments = ["--set", "evaluate.sync=\(weights)"]
        let run = try Workbench.run(
            Workbench.executables + "/loopy-evaluate",
            [
                "--generated", bench.folder + "/generated", "--output",
                bench.folder + "/metrics.json", "--set", "evaluate.fid=none", "--set",
                "evaluate.fvd=none",
            ] + arguments)
        #expect(run.status == 0, "\(run.errors)")
        let found = try report(bench)
        let confidence = try #require(found.metrics["sync_c"])
        let distance = try #require(found.metrics["sync_d"])
        #expect(confidence.clips == 2 && distance.clips == 2)
        #expect(confidence.digest == (try Digest.ofFile(weights)))
        #expect(found.generated[2].absent["sync_c"]?.contains("no face") == true)
        #expect(found.generated[3].video == "silent.mp4")
        #expect(found.generated[3].absent["sync_d"]?.contains("no sound") == true)
        // As `sync` says of each of them.
        let values = found.generated[..<2].compactMap { $0.values["sync_d"]?.value }
        let alone = try Workbench.run(
            Workbench.executables + "/loopy-evaluate",
            ["sync", "--weights", weights]
                + ["a", "b"].map { bench.folder + "/generated/\($0).mp4" })
        struct Line: Decodable {
            let distance: Double
        }
        let lines = try alone.output.split(separator: "\n").map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8)).distance
        }
        #expect(values == lines)
        #expect(distance.value == values.reduce(0, +) / 2)
    }

    @Test func aRunThatWasKilledGivesTheSameTable() throws {
        let bench = try folders()
        defer { bench.remove() }
        let whole = try full(bench, output: "whole.json")
        #expect(whole.status == 0)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Workbench.executables + "/loopy-evaluate")
        process.arguments =
            [
                "--generated", bench.folder + "/generated", "--reference",
                bench.folder + "/reference", "--output", bench.folder + "/killed.json", "--threads",
                "1",
            ] + Self.all
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        let parts = bench.folder + "/killed.parts"
        try Workbench.wait {
            let files = (try? FileManager.default.contentsOfDirectory(atPath: parts)) ?? []
            return files.contains { $0.hasSuffix(".json") }
        }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        #expect(!FileManager.default.fileExists(atPath: bench.folder + "/killed.json"))
        let again = try full(bench, output: "killed.json")
        #expect(again.status == 0)
        #expect(again.output == whole.output)
        #expect(
            try Workbench.bytes(bench.folder + "/killed.json")
                == Workbench.bytes(bench.folder + "/whole.json"))
        #expect(try Workbench.differences(parts, bench.folder + "/whole.parts") == [])
    }

    @Test func whatIsNotHereIsSaidAndABrokenVideoCostsNothingElse() throws {
        let bench = try folders()
        defer { bench.remove() }
        try bench.write("no video", to: "generated/broken.mp4")
        let none = [
            "--set", "evaluate.fid=none", "--set", "evaluate.fvd=none", "--set",
            "evaluate.sync=none",
        ]
        let run = try Workbench.run(
            Workbench.executables + "/loopy-evaluate",
            [
                "--generated", bench.folder + "/generated", "--output",
                bench.folder + "/metrics.json", "--threads", "1",
            ] + none)
        #expect(run.status == 1)
        #expect(run.errors.contains("broken.mp4"))
        let found = try report(bench)
        #expect(found.failures.map(\.path) == [bench.folder + "/generated/broken.mp4"])
        #expect(found.generated.count == 3)
        for name in ["fid", "fvd", "efid", "sync_c", "sync_d", "iqa", "smoothness"] {
            let figure = try #require(found.metrics[name])
            #expect(figure.value == nil)
            #expect(figure.reason?.contains("no ") == true)
        }
        #expect(found.metrics["ssim"]?.reason?.contains("--reference") == true)
        #expect((found.metrics["glo"]?.value ?? 0) > 0)

        // A network that is none, and a mistyped setting.
        let text = try evaluate(
            bench, "--output", bench.folder + "/x.json", "--set",
            "evaluate.iqa=\(bench.folder)/generated/broken.mp4")
        #expect(text.status == 64)
        try bench.write("no network", to: "net.pt")
        let wrong = try evaluate(
            bench, "--output", bench.folder + "/x.json", "--set",
            "evaluate.iqa=\(bench.folder)/net.pt")
        #expect(wrong.status == 65)
        #expect(wrong.errors.contains("net.pt"))
        let typo = try evaluate(
            bench, "--output", bench.folder + "/x.json", "--set", "evaluate.fdi=none")
        #expect(typo.status == 64)
        #expect(typo.errors.contains("fid"))
        #expect(!FileManager.default.fileExists(atPath: bench.folder + "/x.json"))
    }

    /// A dangling link, a file that nobody may read, and things that are no files at all.
    @Test func whatCannotBeReadIsAFailureAndTheOthersAreMeasured() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let generated = bench.folder + "/generated", reference = bench.folder + "/reference"
        for folder in [generated, reference, generated + "/folder.mp4"] {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
        }
        for file in [generated + "/good.mp4", reference + "/good.mp4"] {
            try Workbench.ffmpeg(
                "-f", "lavfi", "-i", "testsrc=s=64x64:r=25:d=0.4", "-pix_fmt", "yuv420p", file)
        }
        try FileManager.default.copyItem(
            atPath: generated + "/good.mp4", toPath: generated + "/forbidden.mp4")
        chmod(generated + "/forbidden.mp4", 0)
        symlink("/nowhere", generated + "/dangling.mp4")
        symlink("/nowhere", reference + "/dangling.mp4")
        mkfifo(generated + "/pipe.mp4", 0o600)

        // Root may read everything, unless that is taken from it.
        let capabilities = "-dac_override,-dac_read_search"
        let run = try Workbench.run(
            "/usr/bin/env",
            (getuid() == 0
                ? ["setpriv", "--bounding-set", capabilities, "--inh-caps", capabilities] : [])
                + [
                    Workbench.executables + "/loopy-evaluate", "--generated", generated,
                    "--reference", reference, "--output", bench.folder + "/metrics.json",
                    "--threads", "1", "--set", "evaluate.fid=none", "--set", "evaluate.fvd=none",
                    "--set", "evaluate.sync=none",
                ])
        #expect(run.status == 1, "\(run.errors)")
        let found = try report(bench)
        #expect(found.generated.map(\.video) == ["good.mp4"])
        #expect(found.metrics["psnr"]?.clips == 1)
        let failed = [
            generated + "/dangling.mp4", generated + "/folder.mp4", generated + "/forbidden.mp4",
            generated + "/pipe.mp4", reference + "/dangling.mp4",
        ]
        #expect(found.failures.map(\.path) == failed)
        #expect(Set(found.failures.map(\.reason)) == ["unreadable"])
        for path in failed { #expect(run.errors.contains("failed: " + path + ": ")) }
    }
}

import Dataset
import Foundation
import Testing

/// From videos to a talking video, through the executables.
@Suite(.serialized)
struct GenerateEndToEndTests {
    private static let portraits = Workbench.package + "/.deps/portraits"
    private static let networks = Workbench.package + "/Tests/SpeechTests/Fixtures"

    /// A small dataset with small models trained on it: `runs/first` and `runs/second`.
    private struct Trained {
        let bench: Workbench
        var pipeline = ""
        var dataset: String { bench.dataset("d") }
        var model: String { dataset + "/runs/second" }

        init() throws {
            bench = try Workbench()
            try bench.addSample("single_face.mp4")
            try writeTraining("first.yaml", "stage: image")
            try writeTraining("second.yaml", "stage: video")
            pipeline = try bench.pipeline {
                $0.replacingOccurrences(
                    of: "speech: }", with: "speech: , latents: { side: 64, channels: 12 } }"
                ).replacingOccurrences(
                    of: "threads: 1 }", with: "threads: 1, train: [first.yaml, second.yaml] }")
            }
            let made = try run()
            #expect(made.status == 0, "\(made.errors)")
        }

        /// - Parameter more: further settings, a line each.
        func writeTraining(_ name: String, _ model: String, _ more: String...) throws {
            try bench.write(
                """
                \(more.joined(separator: "\n"))
                preset: tiny
                model:
                  { latent_channels: 12, channels: [8, 16], attention: [true, true], norm_groups: 4, \(model) }
                steps: 2
                precision: float32
                gradient_checkpointing: false
                optimiser: { learning_rate: 0.001, warmup_steps: 1 }
                data: { shuffle: 4 }
                """, to: name)
        }

        func run(_ changes: String...) throws -> Workbench.Result {
            let settings = (["select.split.val=0"] + changes).flatMap { ["--set", $0] }
            return try Workbench.run(
                Workbench.executables + "/loopy",
                ["run", pipeline, "--input", bench.videos, "--dataset", dataset] + settings)
        }

        func generateArguments(_ output: String, _ arguments: [String]) -> [String] {
            [
                "generate", "--run", model, "--output", bench.folder + "/" + output, "--steps", "2",
                "--threads", "1",
            ] + arguments
        }

        func generate(_ output: String, _ arguments: String...) throws -> Workbench.Result {
            try Workbench.run(
                Workbench.executables + "/loopy", generateArguments(output, arguments))
        }
    }

    private static func frames(_ path: String) throws -> Int {
        let result = try Workbench.run(
            "/usr/bin/ffprobe",
            [
                "-v", "error", "-count_frames", "-select_streams", "v", "-show_entries",
                "stream=nb_read_frames", "-of", "csv=p=0", path,
            ])
        return Int(result.output.filter(\.isNumber)) ?? 0
    }

    /// Seconds of the streams, as the file states them.
    private static func durations(_ path: String) throws -> [Double] {
        try Workbench.run(
            "/usr/bin/ffprobe",
            ["-v", "error", "-show_entries", "stream=duration", "-of", "csv=p=0", path]
        ).output.split(separator: "\n").compactMap { Double($0) }
    }

    @Test func aPortraitSpeaksAndAnInterruptionChangesNothing() throws {
        let trained = try Trained()
        let bench = trained.bench
        defer { bench.remove() }
        let image = Self.portraits + "/single_face.jpg"
        let speech = bench.folder + "/speech.wav"
        try Workbench.ffmpeg(
            "-stream_loop", "3", "-i", Self.portraits + "/speech.wav", "-t", "7.53", "-ac", "2",
            "-ar", "44100", speech)
        let input = ["--image", image, "--audio", speech]
        let whole = try Workbench.run(
            Workbench.executables + "/loopy", trained.generateArguments("whole.mp4", input))
        #expect(whole.status == 0, "\(whole.errors)")
        // Exactly as many frames as the sound lasts, and sound as long as the picture.
        let frames = try Self.frames(bench.folder + "/whole.mp4")
        #expect(frames == 189)
        let durations = try Self.durations(bench.folder + "/whole.mp4")
        #expect(durations == Array(repeating: Double(frames) / 25, count: 2))

        // Another run, stopped and killed on its way.
        let arguments = trained.generateArguments("part.mp4", input + ["--resume"])
        let partial = bench.folder + "/part.partial.mp4"
        for signal in [SIGTERM, SIGKILL] {
            let before =
                try FileManager.default.fileExists(atPath: partial)
                ? Workbench.bytes(partial).count : 0
            let process = try bench.start(arguments)
            try Workbench.wait {
                try FileManager.default.fileExists(atPath: partial)
                    && Workbench.bytes(partial).count > before + 1000
            }
            kill(process.processIdentifier, signal)
            process.waitUntilExit()
            #expect(signal == SIGKILL || process.terminationStatus == 130)
            #expect(!FileManager.default.fileExists(atPath: bench.folder + "/part.mp4"))
            let playable = try Self.frames(partial)
            #expect(playable > 0 && playable < frames)
        }
        let other = try Workbench.run(
            Workbench.executables + "/loopy", arguments + ["--seed", "7"])
        #expect(other.status != 0)
        #expect(other.errors.contains("was begun with another portrait"))
        let rest = try Workbench.run(Workbench.executables + "/loopy", arguments)
        #expect(rest.status == 0, "\(rest.errors)")
        #expect(
            try Workbench.bytes(bench.folder + "/part.mp4")
                == Workbench.bytes(bench.folder + "/whole.mp4"))
        #expect(!FileManager.default.fileExists(atPath: partial))
        let again = try Workbench.run(Workbench.executables + "/loopy", arguments)
        #expect(again.status == 0 && again.errors.contains("is finished"), "\(again.errors)")

        // Exported weights make the same video.
        try bench.loopy(
            "train", "export", "--run", trained.model, "--output", bench.folder + "/weights")
        let exported = try bench.loopy(
            "generate", "--weights", bench.folder + "/weights", "--image", image, "--audio",
            speech, "--output", bench.folder + "/weights.mp4", "--steps", "2",
            "--threads", "1")
        #expect(exported.status == 0, "\(exported.errors)")
        #expect(
            try Workbench.bytes(bench.folder + "/weights.mp4")
                == Workbench.bytes(bench.folder + "/whole.mp4"))

        // The page shows it, and nothing that is not there.
        let page = try bench.loopy(
            "page", trained.dataset, "--run", trained.model, "--generated",
            bench.folder + "/whole.mp4", "--output", bench.folder + "/index.html")
        #expect(page.status == 0, "\(page.errors)")
        let held = try Workbench.held(bench.folder + "/index.html")
        #expect(held["videos/0.mp4"] == Data(try Workbench.bytes(bench.folder + "/whole.mp4")))
        for ending in ["mp4", "flac", "json", "tracks", "jpg"] {
            #expect(held.keys.contains { $0.hasPrefix("clips/") && $0.hasSuffix(ending) })
        }
    }

    @Test func whatCannotBeGeneratedIsSaid() throws {
        let trained = try Trained()
        let bench = trained.bench
        defer { bench.remove() }
        let portraits = Self.portraits
        try bench.write("no picture", to: "broken.jpg")
        try Workbench.ffmpeg(
            "-i", portraits + "/speech.wav", "-t", "0.1", bench.folder + "/short.wav")
        func message(image: String? = nil, audio: String? = nil) throws -> String {
            let result = try trained.generate(
                "no.mp4", "--image", image ?? portraits + "/single_face.jpg", "--audio",
                audio ?? portraits + "/speech.wav")
            #expect(result.status == 65)
            #expect(!FileManager.default.fileExists(atPath: bench.folder + "/no.mp4"))
            return result.errors
        }
        #expect(try message(image: portraits + "/landscape.jpg").contains("no face is seen"))
        #expect(try message(image: portraits + "/multi_face.jpg").contains("faces are seen in it"))
        #expect(try message(image: portraits + "/profile.jpg").contains("turned away"))
        #expect(try message(image: bench.folder + "/broken.jpg").contains("broken.jpg"))
        #expect(try message(image: bench.folder + "/none.jpg").contains("none.jpg"))
        #expect(try message(audio: portraits + "/silence.wav").contains("is silent"))
        #expect(try message(audio: portraits + "/profile.jpg").contains("profile.jpg"))

        try portraitsAreTakenAllTheSame(trained)

        // A tenth of a second is three frames, and said to be short.
        let short = try trained.generate(
            "short.mp4", "--image", portraits + "/single_face.jpg", "--audio",
            bench.folder + "/short.wav")
        #expect(short.status == 0, "\(short.errors)")
        #expect(short.errors.contains("lasts 0.10 s"))
        #expect(try Self.frames(bench.folder + "/short.mp4") == 3)

        let first = try bench.loopy(
            "generate", "--run", trained.dataset + "/runs/first", "--image",
            portraits + "/single_face.jpg", "--audio", portraits + "/speech.wav", "--output",
            bench.folder + "/no.mp4")
        #expect(first.status == 65)
        #expect(first.errors.contains("first stage"))

        let input = [
            "--image", portraits + "/single_face.jpg", "--audio", portraits + "/speech.wav",
        ]
        let device = try Workbench.run(
            Workbench.executables + "/loopy",
            trained.generateArguments("no.mp4", input + ["--device", "cuda:9"]))
        #expect(device.status == 64)
        #expect(device.errors.contains("there is no device 'cuda:9' here"))

        for (output, arguments, reason) in [
            ("", [], "is a folder"), ("new/", [], "is a folder"),
            (
                "no.mp4", ["--set", "generate.latents.side=100"],
                "generate.latents.side: pictures of 100"
            ),
        ] {
            let refused = try Workbench.run(
                Workbench.executables + "/loopy",
                trained.generateArguments(output, input + arguments))
            #expect(refused.status == 64 && refused.errors.contains(reason), "\(refused.errors)")
        }

        // A full disk, at the video and at what is needed to go on with it.
        guard Workbench.mayMountDisks else { return }
        for kilobytes in [16, 60, 400] {
            let full = try bench.loopy(
                onDiskOf: kilobytes, trained.generateArguments("disk/no.mp4", input))
            #expect(full.status == 74, "\(full.errors)")
            #expect(full.errors.contains(bench.disk + "/no.partial."), "\(full.errors)")
        }
    }

    /// What the rules refuse can be had, and what no detector finds can be pointed at.
    private func portraitsAreTakenAllTheSame(_ trained: Trained) throws {
        let bench = trained.bench
        func generate(_ image: String, _ arguments: String...) throws -> Workbench.Result {
            try Workbench.run(
                Workbench.executables + "/loopy",
                trained.generateArguments(
                    "any.mp4",
                    [
                        "--image", Self.portraits + "/" + image, "--audio",
                        bench.folder + "/short.wav",
                    ] + arguments))
        }
        func crop() throws -> [String: Int]? {
            let record = try JSONSerialization.jsonObject(
                with: Data(Workbench.bytes(bench.folder + "/any.json")))
            let portrait = (record as? [String: Any])?["portrait"] as? [String: Any]
            return portrait?["crop"] as? [String: Int]
        }
        let refused = try generate("profile.jpg")
        #expect(refused.status == 65 && refused.errors.contains("--any-portrait"))
        for (image, reason) in [
            ("profile.jpg", "turned away"), ("multi_face.jpg", "faces are seen in it"),
        ] {
            let taken = try generate(image, "--any-portrait")
            #expect(taken.status == 0, "\(taken.errors)")
            let warnings = taken.errors.split(separator: "\n").filter {
                $0.hasPrefix("warning: ") && $0.contains(image)
            }
            #expect(warnings.contains { $0.contains(reason) }, "\(taken.errors)")
            #expect(try Self.frames(bench.folder + "/any.mp4") == 3)
        }

        // Where there is no face at all, somebody has to say where the portrait is.
        let unseen = try generate("landscape.jpg", "--any-portrait")
        #expect(unseen.status == 65)
        #expect(
            unseen.errors.contains("no face is seen") && unseen.errors.contains("--crop X,Y,SIDE"))
        let size = try Workbench.run(
            "/usr/bin/ffprobe",
            [
                "-v", "error", "-show_entries", "stream=width,height", "-of", "csv=p=0",
                Self.portraits + "/landscape.jpg",
            ]
        ).output.split { !$0.isNumber }.compactMap { Int($0) }
        let (width, height) = (size[0], size[1])
        let given = try generate("landscape.jpg", "--crop", "\(width - 201),\(height - 201),201")
        #expect(given.status == 0, "\(given.errors)")
        #expect(try crop() == ["x": width - 201, "y": height - 201, "side": 201])
        #expect(!given.errors.contains("warning"))

        for square in [
            "\(width - 200),0,201", "0,\(height - 200),201", "-1,0,100", "0,-1,100",
            "0,0,\(max(width, height) + 1)", "9223372036854775807,0,16", "0,0,9223372036854775807",
        ] {
            let outside = try generate("landscape.jpg", "--crop=" + square)
            #expect(outside.status == 64, "\(square): \(outside.errors)")
            #expect(outside.errors.contains("--crop \(square): "), "\(outside.errors)")
            #expect(outside.errors.contains("\(width)x\(height) pixels"), "\(outside.errors)")
        }
        #expect(try generate("landscape.jpg", "--crop", "0,0,15").errors.contains("16 pixels"))
        for square in ["10,10", "a,b,c", "1,2,3,4", "1.5,0,100", ""] {
            let unclear = try generate("landscape.jpg", "--crop=" + square)
            #expect(unclear.status == 64 && unclear.errors.contains("--crop"), "\(unclear.errors)")
        }
    }

    @Test func aDistilledModelSpeaksInItsOwnStepsWithoutGuidance() throws {
        let trained = try Trained()
        let bench = trained.bench
        defer { bench.remove() }
        try trained.writeTraining(
            "third.yaml", "stage: distilled, distilled_steps: 2",
            "distillation: { guidance_steps: 1, solver_steps: 4 }")
        let run = bench.folder + "/third"
        let made = try bench.loopy(
            "train", bench.folder + "/third.yaml", "--shards", trained.dataset + "/shards",
            "--output", run, "--first-stage", trained.model)
        #expect(made.status == 0, "\(made.errors)")
        let exported = try bench.loopy(
            "train", "export", "--run", run, "--output", bench.folder + "/weights")
        #expect(exported.status == 0, "\(exported.errors)")

        try Workbench.ffmpeg(
            "-i", Self.portraits + "/speech.wav", "-t", "0.6", bench.folder + "/short.wav")
        func generate(
            _ output: String, _ model: [String], _ arguments: String...
        ) throws -> Workbench.Result {
            try Workbench.run(
                Workbench.executables + "/loopy",
                [
                    "generate", "--image", Self.portraits + "/single_face.jpg", "--audio",
                    bench.folder + "/short.wav", "--output", bench.folder + "/" + output,
                    "--threads", "1",
                ] + model + arguments)
        }
        let first = try generate("first.mp4", ["--run", run])
        #expect(first.status == 0, "\(first.errors)")
        let record = try JSONSerialization.jsonObject(
            with: Data(Workbench.bytes(bench.folder + "/first.json")))
        let settings = (record as? [String: Any])?["settings"] as? [String: Any]
        #expect(settings?["numInferenceSteps"] as? Int == 2)
        let guidance = settings?["guidance"] as? [String: Double]
        #expect(guidance?["audioRatio"] == 1 && guidance?["referenceRatio"] == 1)

        // The exported model makes the same video, whatever the quality.
        let weights = ["--weights", bench.folder + "/weights"]
        let second = try generate("second.mp4", weights, "--quality", "draft", "--steps", "2")
        #expect(second.status == 0, "\(second.errors)")
        #expect(
            try Workbench.bytes(bench.folder + "/first.mp4")
                == Workbench.bytes(bench.folder + "/second.mp4"))

        for arguments in [
            ["--audio-ratio", "3"], ["--reference-ratio", "2"],
            ["--set", "generate.guidance.last=0.5"],
        ] {
            let guided = try generate("no.mp4", weights + arguments)
            #expect(guided.status == 64)
            #expect(
                guided.errors.contains("is distilled for 2 steps of one pass each")
                    && guided.errors.contains("cannot be guided"), "\(guided.errors)")
        }
        for arguments in [
            ["--steps", "4"], ["--set", "generate.solver=unipc"], ["--set", "generate.eta=1"],
            ["--set", "generate.timestep_spacing=leading"],
        ] {
            let other = try generate("no.mp4", weights + arguments)
            #expect(other.status == 64 && other.errors.contains("leave out --steps"))
        }
        #expect(!FileManager.default.fileExists(atPath: bench.folder + "/no.mp4"))
    }

    @Test func anotherSpeechEncoderMovesWhatDependsOnItAndTheTrainerTakesTheNewShards() throws {
        let trained = try Trained()
        defer { trained.bench.remove() }
        let before = try Workbench.times(trained.dataset)
        // As it stands, nothing is done.
        #expect(try trained.run().status == 0)
        let changes = { (before: [String: Date]) in
            Set(
                try Workbench.times(trained.dataset).filter {
                    before[$0.key] != $0.value && $0.key.contains("/")
                }.keys.map { $0.split(separator: "/").prefix(2).joined(separator: "/") })
        }
        #expect(try changes(before) == [])

        try trained.writeTraining(
            "second.yaml", "stage: video, speech_layers: 3, speech_channels: 32")
        let run = try trained.run(
            "extract.speech.encoder=wav2vec2", "extract.speech.weights=\(Self.networks)/base")
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.errors.contains("second: was trained with another model"))
        let changed = try changes(before)
        #expect(changed.contains { $0.hasPrefix("columns/speech-") })
        #expect(changed.contains { $0.hasPrefix("shards/") })
        #expect(changed.contains("runs/second"))
        #expect(changed.contains("runs/second.1"), "the former run is kept")
        #expect(!changed.contains { $0.hasPrefix("runs/first") })
        #expect(
            !changed.contains { name in
                ["video", "audio", "keypoints", "motion", "latents"].contains {
                    name.hasPrefix("columns/" + $0)
                }
            })
        // The video comes from the encoder that the model was trained with, or not at all.
        let other = try trained.generate(
            "v.mp4", "--image", Self.portraits + "/single_face.jpg", "--audio",
            Self.portraits + "/speech.wav", "--set",
            "generate.speech.weights=\(Self.networks)/large")
        #expect(other.status == 64)
        #expect(
            other.errors.contains(
                "was trained on speech from other weights (\(Self.networks)/base)"))
        let same = try trained.generate(
            "v.mp4", "--image", Self.portraits + "/single_face.jpg", "--audio",
            Self.portraits + "/speech.wav", "--set",
            "generate.speech.weights=\(Self.networks)/base")
        #expect(same.status == 0, "\(same.errors)")
    }
}

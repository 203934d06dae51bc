import Errors
import Foundation
import Settings
import Storage
import TestSupport
import Testing

@Suite struct ModelManifestTests {
    private static let text = """
        speech:
          url: https://example.org/speech
          files: [config.json, [model.safetensors, pytorch_model.bin]]
          licence: Apache-2.0
          used_by: [extract.speech.encoder]
          stand_in: log-mel features
        pictures/coder:
          url: https://example.org/pictures
          files: [coder.onnx]
          licence: MIT
          used_by: [extract.latents.coder, train.coder]
          stand_in: nothing
        """

    /// A folder that holds a manifest, and files below it.
    private func with<Result>(
        files: [String: String] = [:], manifest: String = text,
        _ body: (_ folder: String, _ manifest: ModelManifest) throws -> Result
    ) throws -> Result {
        try withFolder { folder in
            for (name, content) in files.merging(
                ["Manifests/models.yaml": manifest], uniquingKeysWith: { $1 })
            {
                let path = folder + "/" + name
                try FileManager.default.createDirectory(
                    atPath: (path as NSString).deletingLastPathComponent,
                    withIntermediateDirectories: true)
                try write(content, to: path)
            }
            return try body(folder, ModelManifest(folder + "/Manifests/models.yaml"))
        }
    }

    @Test func theManifestOfThisPackageIsUnderstood() throws {
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let manifest = try ModelManifest(package.path + "/Manifests/models.yaml")
        #expect(manifest.folder == package.path)
        #expect(
            manifest.entries.map(\.name) == [
                "small", "small/codec", "wav2vec2-base", "wav2vec2-large", "syncnet", "dlib-face",
                "dwpose", "stable-diffusion-v1-5/vae", "stable-diffusion-v1-5/unet", "animatediff",
                "fid-inception", "fvd-i3d",
            ])
        // What comes with Loopy is not published elsewhere.
        for entry in manifest.entries where !entry.name.hasPrefix("small") {
            #expect(entry.url.hasPrefix("http"))
        }
    }

    @Test func aNetworkIsFoundInItsFolder() throws {
        let files = [
            "Models/speech/config.json": "{}", "Models/speech/pytorch_model.bin": "weights",
            "Models/pictures/coder/coder.onnx": "weights",
        ]
        try with(files: files) { folder, manifest throws in
            #expect(try manifest.resolve("speech") == folder + "/Models/speech")
            let coder = folder + "/Models/pictures/coder/coder.onnx"
            #expect(try manifest.resolve("pictures/coder") == coder)
            let speech = try manifest.presence(of: manifest.entry(named: "speech"))
            #expect(
                speech.found.map { ($0 as NSString).lastPathComponent }
                    == ["config.json", "pytorch_model.bin"])
            #expect(speech.missing == [])
        }
    }

    @Test func digestsBelongToFiles() throws {
        let digest = String(repeating: "0a", count: 32)
        func manifest(_ pinned: String) -> String {
            Self.text.replacingOccurrences(
                of: "files: [coder.onnx]", with: "files: [coder.onnx]\n  sha256: { \(pinned) }")
        }
        try with(manifest: manifest("coder.onnx: \(digest)")) { _, manifest throws in
            #expect(try manifest.entry(named: "pictures/coder").digests == ["coder.onnx": digest])
            #expect(try manifest.entry(named: "speech").digests == [:])
        }
        for (wrong, message) in [
            ("coder.onx: \(digest)", "did you mean 'coder.onnx'"), ("coder.onnx: 0a", "64 digits"),
        ] {
            let error = #expect(throws: LoopyError.self) {
                try with(manifest: manifest(wrong)) { _, _ in }
            }
            #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        }
    }

    @Test func filesBelongIntoTheFolderOrWhereThePathSays() throws {
        try with { folder, manifest throws in
            let entry = try manifest.entry(named: "speech")
            let place = manifest.location(of: "config.json", of: entry)
            #expect(place == folder + "/Models/speech/config.json")
        }
        let text = Self.text + "\n  path: elsewhere/coder.onnx"
        try with(manifest: text) { folder, manifest throws in
            let entry = try manifest.entry(named: "pictures/coder")
            let place = manifest.location(of: "coder.onnx", of: entry)
            #expect(place == folder + "/elsewhere/coder.onnx")
        }
    }

    @Test func whatIsMissingIsNil() throws {
        try with { _, manifest throws in
            #expect(try manifest.resolve("speech") == nil)
            #expect(try manifest.resolve("pictures/coder") == nil)
            let speech = try manifest.presence(of: manifest.entry(named: "speech"))
            #expect(speech.missing == ["config.json", "model.safetensors or pytorch_model.bin"])
        }
    }

    @Test func aHalfIsAnError() throws {
        try with(files: ["Models/speech/model.safetensors": "weights"]) { folder, manifest throws in
            let error = #expect(throws: LoopyError.self) { try manifest.resolve("speech") }
            #expect(error?.category == .missing)
            #expect(error?.message.contains("\(folder)/Models/speech: lacks config.json") == true)
            #expect(error?.message.contains("https://example.org/speech") == true)
        }
    }

    @Test func existingPathsStandForThemselves() throws {
        try with { folder, manifest throws in
            #expect(try manifest.resolve(folder) == folder)
            let file = folder + "/Manifests/models.yaml"
            #expect(try manifest.resolve(file) == file)
            #expect(try ModelManifest.resolve(file) == file)
        }
    }

    @Test func anythingElseIsAnErrorWithASuggestion() throws {
        try with { _, manifest throws in
            for (name, expected) in [
                ("speach", "did you mean 'speech'?"), ("/nowhere/model.bin", "known are"),
            ] {
                let error = #expect(throws: LoopyError.self) { try manifest.resolve(name) }
                #expect(error?.category == .configuration)
                #expect(error?.message.contains("'\(name)' is neither") == true)
                #expect(error?.message.contains(expected) == true)
            }
        }
    }

    /// `path:` from the manifest's folder, absolute, and to the file itself.
    @Test func filesMayBeElsewhere() throws {
        try withFolder { elsewhere in
            try write("weights", to: elsewhere + "/coder.onnx")
            let places = [
                elsewhere, elsewhere + "/coder.onnx", "coders", "coders/mine.onnx",
            ]
            for place in places {
                let text = Self.text + "\n  path: \(place)"
                let files = ["coders/coder.onnx": "weights", "coders/mine.onnx": "weights"]
                try with(files: files, manifest: text) { folder, manifest throws in
                    let base = place.hasPrefix("/") ? place : folder + "/" + place
                    let expected = base.hasSuffix(".onnx") ? base : base + "/coder.onnx"
                    #expect(try manifest.resolve("pictures/coder") == expected)
                }
            }
            try with(manifest: Self.text + "\n  path:") { folder, manifest throws in
                let entry = try manifest.entry(named: "pictures/coder")
                #expect(manifest.location(of: entry) == folder + "/Models/pictures/coder")
            }
        }
    }

    @Test(arguments: [
        (
            "licence: MIT", "license: MIT",
            "pictures/coder: unknown key 'license'; did you mean 'licence'?"
        ),
        ("  licence: MIT\n", "", "pictures/coder: 'licence' is missing"),
        ("files: [coder.onnx]", "files: coder.onnx", "'files' is missing or no list"),
        ("files: [coder.onnx]", "files: [[]]", "'files' is a list of names"),
        ("stand_in: nothing", "stand_in: [a]", "'stand_in' is missing or no text"),
        ("stand_in: nothing", "stand_in: nothing\nmore: 3", "more: is not a mapping"),
    ])
    func mistakesAreNamed(right: String, wrong: String, message: String) throws {
        let text = Self.text.replacingOccurrences(of: right, with: wrong)
        let error = #expect(throws: LoopyError.self) { try with(manifest: text) { _, _ in } }
        #expect(error?.category == .configuration)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("Manifests/models.yaml: ") == true)
    }

    @Test func theNearestManifestUpwardIsInUse() throws {
        try with(files: ["a/b/c/file": ""]) { folder, _ in
            let manifest = folder + "/Manifests/models.yaml"
            let deep = folder + "/a/b/c"
            #expect(try ModelManifest.locate(environment: [:], folders: [deep]).path == manifest)
            #expect(
                try ModelManifest.locate(environment: [:], folders: ["/proc", folder]).path
                    == manifest)
            let own = folder + "/a/own.yaml"
            try write(Self.text, to: own)
            let chosen = try ModelManifest.locate(
                environment: ["LOOPY_MODELS": own], folders: [deep])
            #expect(chosen.path == own)
            #expect(chosen.folder == folder + "/a")
            let error = #expect(throws: LoopyError.self) {
                try ModelManifest.locate(environment: [:], folders: ["/proc"])
            }
            #expect(error?.message.contains("LOOPY_MODELS") == true)
            #expect(throws: LoopyError.self) {
                try ModelManifest.locate(
                    environment: ["LOOPY_MODELS": folder + "/none.yaml"], folders: [deep])
            }
        }
    }

    @Test func reportsSayWhatIsThereAndWhatIsWrong() throws {
        let files = ["Models/speech/config.json": "{}", "Models/pictures/coder/coder.onnx": "abc"]
        try with(files: files) { folder, manifest throws in
            func reports(_ check: (String) -> String?) throws -> [ModelReport] {
                try manifest.entries.map { try ModelReport($0, in: manifest, check: check) }
            }
            let good = try reports { _ in nil }
            #expect(good.map(\.state) == [.incomplete, .found])
            #expect(good[0].missing == ["model.safetensors or pytorch_model.bin"])
            #expect(good[1].files.map(\.bytes) == [3])
            #expect(good[1].files.map(\.sha256) == [Digest.of("abc")])
            let wrong = try reports { $0.hasSuffix(".onnx") ? "is a web page" : nil }
            #expect(wrong.map(\.state) == [.incomplete, .wrong])
            #expect(wrong[1].files[0].problem == "is a web page")
            unlink(folder + "/Models/speech/config.json")
            #expect(try reports { _ in "x" }[0].state == .missing)
        }
    }
}

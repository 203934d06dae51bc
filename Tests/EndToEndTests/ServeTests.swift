import Foundation
import Testing

/// `loopy serve` and `loopy page`, looked at in a browser: `browser.py` says what is done and what must be seen.
@Suite struct ServeTests {
    private static let python = Workbench.package + "/.deps/browser/bin/python"
    private static let script = Workbench.package + "/Tests/EndToEndTests/browser.py"

    /// Seven sources: a copy of another one among them, one in which no square holds the head, one whose name is
    /// markup, and one that is no video.
    private static func curated() throws -> (bench: Workbench, dataset: String) {
        let bench = try Workbench()
        try bench.addSample("obama_speech.mp4")
        try bench.addSample("single_face.mp4", as: "<img src=x onerror=window.hacked=1>.mp4")
        try bench.addSample("no_face.mp4")
        try bench.addSample("face_noface.mov")
        let copied = try Workbench.run(
            "/usr/bin/env",
            [
                "ffmpeg", "-nostdin", "-v", "error", "-i", bench.videos + "/obama_speech.mp4",
                "-crf", "30", "-preset", "ultrafast", bench.videos + "/again.mp4",
            ])
        try #require(copied.status == 0, "\(copied.errors)")
        let narrow = try Workbench.run(
            "/usr/bin/env",
            [
                "ffmpeg", "-nostdin", "-v", "error", "-ss", "1", "-t", "3", "-i",
                bench.videos + "/obama_speech.mp4",
                "-vf", "crop=70:ih:164:0", "-preset", "ultrafast", bench.videos + "/narrow.mp4",
            ])
        try #require(narrow.status == 0, "\(narrow.errors)")
        try bench.write("this is no video", to: "videos/broken.mp4")
        let dataset = bench.dataset("dataset")
        let made = try bench.loopy(
            "run", try bench.pipeline(), "--input", bench.videos, "--dataset", dataset)
        #expect([0, 1].contains(made.status), "\(made.errors)")
        return (bench, dataset)
    }

    @Test func aPersonFindsALimitInABrowserAndSelectAgrees() throws {
        let (bench, dataset) = try Self.curated()
        defer { bench.remove() }
        let server = Process()
        let output = Pipe()
        server.executableURL = URL(fileURLWithPath: Workbench.executables + "/loopy")
        server.arguments = ["serve", dataset, "--port", "0"]
        server.standardOutput = output
        try server.run()
        defer {
            server.terminate()
            server.waitUntilExit()
        }
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        let address = line.trimmingCharacters(in: .newlines)
        try #require(address.hasPrefix("http://127.0.0.1:"), "\(line)")
        let used = try Workbench.run(
            Self.python,
            [
                Self.script, "serve", address, dataset, Workbench.executables + "/loopy-select",
                bench.folder,
            ])
        #expect(used.status == 0, "\(used.errors)")
    }

    @Test func onePageShowsTheSameWithoutAServerAndDatabasesReadIt() throws {
        let (bench, dataset) = try Self.curated()
        defer { bench.remove() }
        let page = bench.folder + "/page.html"
        let made = try bench.loopy("page", dataset, "--output", page, "--clips", "2")
        #expect(made.status == 0, "\(made.errors)")
        let used = try Workbench.run(Self.python, [Self.script, "page", page, dataset])
        #expect(used.status == 0, "\(used.errors)")

        let tables = bench.folder + "/tables"
        let exported = try Workbench.run(
            "/usr/bin/env",
            [
                "LOOPY_PYTHON=" + Self.python, Workbench.executables + "/loopy", "export", dataset,
                "--to", tables,
            ])
        #expect(exported.status == 0, "\(exported.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: tables).count == 4)
        let asked = try Workbench.run(
            Self.python,
            [
                Workbench.package + "/Tests/EndToEndTests/export.py", dataset, tables,
                Workbench.package + "/docs/questions.md",
            ])
        #expect(asked.status == 0, "\(asked.errors)")
    }

    @Test func whatCannotBeShownIsSaid() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let missing = try bench.loopy("page", bench.dataset("none"))
        #expect(missing.status == 65 && missing.errors.contains("none"), "\(missing.errors)")
        let run = try bench.loopy(
            "page", bench.folder, "--run", bench.folder + "/no-run", "--output",
            bench.folder + "/page.html")
        #expect(run.status == 65 && run.errors.contains("no-run"), "\(run.errors)")
    }
}

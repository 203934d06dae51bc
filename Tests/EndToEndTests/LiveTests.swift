import Foundation
import Testing

/// A portrait that speaks while the speech comes in, through the executable and by the model that comes with
/// Loopy.
@Suite(.serialized)
struct LiveEndToEndTests {
    private func start(
        _ bench: Workbench, _ arguments: String..., to output: String
    ) throws -> (process: Process, input: FileHandle) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Workbench.executables + "/loopy")
        process.arguments =
            [
                "generate", "--weights", Workbench.package + "/Models/small", "--image",
                Workbench.package + "/.deps/portraits/single_face.jpg", "--stream", "--quality",
                "draft", "--threads", "1",
            ] + arguments
        try Data().write(to: URL(fileURLWithPath: output))
        process.standardOutput = FileHandle(forWritingAtPath: output)
        try Data().write(to: URL(fileURLWithPath: output + ".log"))
        process.standardError = FileHandle(forWritingAtPath: output + ".log")
        let pipe = Pipe()
        process.standardInput = pipe
        try process.run()
        return (process, pipe.fileHandleForWriting)
    }

    private func probe(_ path: String, _ entries: String) throws -> [String] {
        try Workbench.run(
            "/usr/bin/ffprobe",
            ["-v", "error", "-count_frames", "-show_entries", entries, "-of", "csv=p=0", path]
        ).output.split(separator: "\n").map(String.init)
    }

    @Test func aPortraitSpeaksWhileSpeechComesIn() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let raw = bench.folder + "/speech.raw"
        try Workbench.ffmpeg(
            "-i", Workbench.package + "/.deps/portraits/speech.wav", "-t", "1.5", "-f", "s16le",
            "-ar", "24000", "-ac", "1", raw)
        let samples = try Data(contentsOf: URL(fileURLWithPath: raw))
        let output = bench.folder + "/live.mp4"
        let (process, input) = try start(bench, "--rate", "24000", to: output)
        // An odd number of bytes, of 0.75 s: a clip can be seen before the rest is said.
        try input.write(contentsOf: samples.prefix(36_001))
        try Workbench.wait { try Workbench.bytes(output).count > 1000 }
        #expect(try probe(output, "stream=nb_read_frames").first == "12")
        try input.write(contentsOf: samples.dropFirst(36_001))
        try input.close()
        process.waitUntilExit()
        let said = try String(contentsOfFile: output + ".log", encoding: .utf8)
        #expect(process.terminationStatus == 0, "\(said)")
        #expect(said.contains("38 frames"), "\(said)")
        #expect(try probe(output, "stream=nb_read_frames").first == "38")
        #expect(try probe(output, "stream=sample_rate").contains("24000"))

        // The same sound in other pieces makes the same bytes.
        let again = bench.folder + "/again.mp4"
        let (other, more) = try start(bench, "--rate", "24000", to: again)
        try more.write(contentsOf: samples)
        try more.close()
        other.waitUntilExit()
        #expect(try Workbench.bytes(again) == Workbench.bytes(output))
    }

    @Test func whatCannotBeStreamedIsSaid() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        let output = bench.folder + "/none.mp4"
        func end(_ arguments: (process: Process, input: FileHandle)) throws -> (Int32, String) {
            try arguments.input.close()
            arguments.process.waitUntilExit()
            return (
                arguments.process.terminationStatus,
                try String(contentsOfFile: output + ".log", encoding: .utf8)
            )
        }
        let silent = try end(start(bench, to: output))
        #expect(silent.0 == 65 && silent.1.contains("no sound came in"), "\(silent)")
        let rate = try end(start(bench, "--rate", "22050", to: output))
        #expect(rate.0 == 64 && rate.1.contains("take 16000, 24000"), "\(rate)")
        let both = try end(start(bench, "--output", output, to: output))
        #expect(both.0 == 64 && both.1.contains("without --audio"), "\(both)")
    }
}

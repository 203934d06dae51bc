import Dataset
import Foundation
import Testing

@Suite struct DuplicatesTests {
    /// A film, its mirror image in another encoding, a part of it with another rate of pictures and something
    /// written over it, and all of it with so few bits that blocks show: every moment is kept once.
    @Test func copiesOfAFilmLeaveItsFootageOnce() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("obama_speech.mp4")
        func copy(_ name: String, _ arguments: String...) throws {
            let ffmpeg = try Workbench.run(
                "/usr/bin/env",
                ["ffmpeg", "-v", "error"] + arguments + ["-c:v", "libx264", "-c:a", "aac"]
                    + [bench.videos + "/" + name])
            try #require(ffmpeg.status == 0, "\(ffmpeg.errors)")
        }
        let original = bench.videos + "/obama_speech.mp4"
        try copy("mirrored.mp4", "-i", original, "-vf", "hflip", "-crf", "30", "-b:a", "48k")
        try copy(
            "part.mp4", "-ss", "0.7", "-i", original, "-r", "25", "-vf",
            "drawbox=x=20:y=215:w=280:h=20:color=black:t=fill", "-crf", "26")
        try copy("poor.mp4", "-i", original, "-crf", "36", "-preset", "ultrafast")

        let dataset = bench.dataset("d")
        let pipeline = try bench.pipeline {
            $0.components(separatedBy: "crop: {")[0]
                .replacingOccurrences(of: "maximum_seconds: 3,", with: "")
        }
        let run = try bench.loopy(
            "run", pipeline, "--input", bench.videos, "--dataset", dataset)
        #expect(run.status == 0, "\(run.errors)")
        let decisions = try DatasetDirectory(dataset).selection()
        let accepted = decisions.filter { $0.decision == .accept }
        let copies = decisions.filter { $0.rule == "duplicate" }
        #expect(!accepted.isEmpty)
        #expect(copies.count == 3 * accepted.count, "\(decisions)")
        // Borders of blocks are not taken for sharpness.
        #expect(!accepted.contains { $0.path.hasSuffix("poor.mp4") }, "\(accepted)")
        let kept = Set(accepted.compactMap(\.key))
        for copy in copies {
            #expect(copy.duplicateOf.map(kept.contains) == true)
            #expect(copy.value ?? 0 >= 0.5)
        }
        #expect(Set(accepted.map(\.split)).count == 1)

        // Another run says the same, byte for byte.
        let selection = try String(contentsOfFile: dataset + "/selection.jsonl", encoding: .utf8)
        #expect(selection.contains("\"duplicate_of\""))
        let again = try bench.loopy(
            "run", pipeline, "--input", bench.videos, "--dataset", dataset)
        #expect(again.status == 0, "\(again.errors)")
        #expect(
            try String(contentsOfFile: dataset + "/selection.jsonl", encoding: .utf8) == selection)
    }
}

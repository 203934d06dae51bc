import Foundation
import Testing

/// Columns of text, by a command of the user's.
@Suite struct TextColumnTests {
    /// Answers with the size of the file; refuses the second clip that it is asked about, and ends at the third.
    private static let command = """
        import json, os, sys
        for number, line in enumerate(sys.stdin):
            key, path = line.rstrip("\\n").split("\\t")
            if number == 2 and not os.path.exists(os.environ["ENDED"]):
                open(os.environ["ENDED"], "w").close()
                sys.exit(1)
            said = {"key": key, "text": f"{os.path.getsize(path)} bytes", "ending": path[-5:]}
            if number == 1:
                said["error"] = "mumbling"
            print(json.dumps(said), flush=True)
        """

    private func run(_ bench: Workbench, _ pipeline: String) throws -> Workbench.Result {
        try bench.loopy(
            "run", pipeline, "--input", bench.videos, "--dataset", bench.dataset("dataset"))
    }

    @Test func aCommandsAnswersAreAColumnAndItsFaultsAreFailures() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("obama_speech.mp4")
        try bench.addSample("single_face.mp4")
        try bench.write(Self.command, to: "says.py")
        let pipeline = try bench.pipeline {
            $0.replacingOccurrences(
                of: "motion: , speech: }",
                with:
                    "transcript: { command: cd '\(bench.folder)' && ENDED=ended python3 says.py } }"
            )
        }
        let made = try run(bench, pipeline)
        #expect(made.status == 1, "\(made.errors)")
        let failures = try String(
            contentsOfFile: bench.dataset("dataset") + "/failures.jsonl", encoding: .utf8
        ).split(separator: "\n").filter { $0.contains("\"stage\":\"transcript\"") }
        #expect(failures.count == 2, "\(failures)")
        #expect(failures.contains { $0.contains("mumbling") })
        #expect(failures.contains { $0.contains("ended without an answer") })
        let said = try Workbench.run(
            "/bin/sh",
            [
                "-c",
                "cd '\(bench.dataset("dataset"))/shards' && for f in *.tar; do tar xOf $f --wildcards '*.transcript.json'; done",
            ])
        let lines = said.output.split(separator: "\n")
        #expect(lines.count >= 1)
        for line in lines {
            #expect(line.hasPrefix("{\"ending\":\".flac\",\"text\":\""), "\(line)")
            #expect(!line.contains("\"key\""))
        }
        let verified = try bench.loopy("verify", bench.dataset("dataset"))
        #expect(verified.status == 0, "\(verified.output)")
    }

    /// A line too many is a fault of one clip, and not of those behind it.
    @Test func aCommandThatSaysMoreThanItIsAskedIsStartedAgain() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("obama_speech.mp4")
        try bench.addSample("single_face.mp4")
        try bench.write(
            """
            import json, os, sys
            if not os.path.exists("begun"):
                open("begun", "w").close()
                print("Loading the network", flush=True)
            for line in sys.stdin:
                print(json.dumps({"key": line.split("\\t")[0]}), flush=True)
            """, to: "says.py")
        let pipeline = try bench.pipeline {
            $0.replacingOccurrences(
                of: "motion: , speech: }",
                with: "transcript: { command: cd '\(bench.folder)' && python3 says.py } }")
        }
        let made = try run(bench, pipeline)
        #expect(made.status == 1, "\(made.errors)")
        let failures = try String(
            contentsOfFile: bench.dataset("dataset") + "/failures.jsonl", encoding: .utf8
        ).split(separator: "\n").filter { $0.contains("\"stage\":\"transcript\"") }
        #expect(
            failures.count == 1 && failures.allSatisfy { $0.contains("Loading") }, "\(failures)")
    }

    @Test func aCommandThatIsNotThereEndsTheRun() throws {
        let bench = try Workbench()
        defer { bench.remove() }
        try bench.addSample("obama_speech.mp4")
        let missing = try bench.pipeline {
            $0.replacingOccurrences(
                of: "motion: , speech: }", with: "caption: { command: no-such-program --now } }")
        }
        let run = try run(bench, missing)
        #expect(run.status == 74 && run.errors.contains("no-such-program"), "\(run.errors)")
        let unset = try bench.pipeline {
            $0.replacingOccurrences(of: "motion: , speech: }", with: "caption: }")
        }
        let refused = try self.run(bench, unset)
        #expect(
            refused.status == 64 && refused.errors.contains("extract.caption.command"),
            "\(refused.errors)")
    }
}

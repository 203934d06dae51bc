import ArgumentParser
import Dataset
import Foundation
import Storage
import TestSupport

struct FuzzVideos: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "videos",
        abstract: "Feed damaged videos to 'loopy run': none may hang it, none may be lost.",
        discussion: """
            Every video must be in sources.jsonl or failures.jsonl, or be named as a copy of another; \
            'loopy run' must end with 0 or 1, and 'loopy verify' with 0.
            """)

    @Option(help: "The number of videos.")
    var count = 1000

    @Option(help: "The seed: the same seed gives the same videos.")
    var seed: UInt64 = 1

    @Option(help: "A video of a face, of which the first second is damaged.")
    var sample = ".deps/samples/single_face.mp4"

    @Option(help: "The folder of Loopy's executables.")
    var executables = ".build/release"

    @Option(help: "The folder for videos and the dataset; made anew.")
    var work = "out/fuzz-videos"

    func run() throws {
        try? FileManager.default.removeItem(atPath: work)
        for folder in ["/corpus", "/videos"] {
            try FileManager.default.createDirectory(
                atPath: work + folder, withIntermediateDirectories: true)
        }
        try Corpus.makeVideos(in: work + "/corpus", seconds: 1, of: sample)
        let corpus = try names(in: work + "/corpus").map {
            ($0, try bytes(of: work + "/corpus/" + $0))
        }
        for index in 0..<count {
            let mutation = Mutation(index, seed: seed, of: corpus)
            let name = String(format: "%05d-", index) + mutation.name
            try Data(mutation.bytes).write(to: URL(fileURLWithPath: work + "/videos/" + name))
        }
        try write(Self.pipeline, to: work + "/pipeline.yaml")

        let started = Date()
        // Statuses of the two, 124 where the time ran out.
        let status = try loopy(
            "run", work + "/pipeline.yaml", "--input", work + "/videos", "--dataset",
            work + "/dataset")
        let verified = try loopy("verify", work + "/dataset")
        let lost = try lost()
        let seconds = Int(Date().timeIntervalSince(started))
        let decisions = try DatasetDirectory(work + "/dataset").selection()
        print(
            "\(count) damaged videos in \(seconds) s: loopy run ended with \(status), verify with "
                + "\(verified); \(decisions.count { $0.decision == .accept }) clips, "
                + "\(lost.count) lost")
        for path in lost { print("lost: \(path)") }
        if !lost.isEmpty || !(0...1).contains(status) || verified != 0 { throw ExitCode(1) }
    }

    private func loopy(_ arguments: String...) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["timeout", "\(600 + 5 * count)", executables + "/loopy"] + arguments
        let log = work + "/" + arguments[0] + ".log"
        try Data().write(to: URL(fileURLWithPath: log))
        let file = FileHandle(forWritingAtPath: log)
        process.standardOutput = file
        process.standardError = file
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }

    /// Videos that no record names.
    private func lost() throws -> [String] {
        let dataset = DatasetDirectory(work + "/dataset")
        let failures = try JSONLines.read(Failure.self, from: dataset.failuresFile)
        let log = String(decoding: try bytes(of: work + "/run.log"), as: UTF8.self)
        let copies = log.split(separator: "\n").filter { $0.hasPrefix("passed over: ") }
        let recorded = Set(
            (try dataset.sources().map(\.path) + failures.compactMap(\.path)).map(fileName))
        return try names(in: work + "/videos").filter { name in
            !recorded.contains(name) && !copies.contains { $0.contains("/\(name): ") }
        }
    }

    private func fileName(_ path: String) -> String { (path as NSString).lastPathComponent }

    private static let pipeline = """
        run: { workers: 2, threads: 1, time_limit: 60 }
        ingest:
        measure: { unit_seconds: 60 }
        select:
          rules:
            duration: { minimum: 0.5 }
            face_width: { minimum: 8 }
            face_height: { minimum: 8 }
            sharpness: { minimum: 0 }
            sound: { minimum: null }
            speech: { minimum: null }
            mouth_in_speech: { minimum: null }
          clips: { per_shard: 50 }
        crop: { video: { size: 64, preset: ultrafast } }
        extract: { keypoints: , motion: }
        pack:
        """
}

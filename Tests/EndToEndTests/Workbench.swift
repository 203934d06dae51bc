import Dataset
import Foundation
import Storage
import Testing

/// The executables, a folder of videos and a place for datasets: what an end-to-end test works with.
struct Workbench {
    static let package = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
    /// The folder of the test bundle, where the build lays the executables too.
    static let executables = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().path
    static let samples = package + "/.deps/samples"

    let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "loopy-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder + "/videos", withIntermediateDirectories: true)
    }

    func remove() { try? FileManager.default.removeItem(atPath: folder) }

    var videos: String { folder + "/videos" }

    func dataset(_ name: String) -> String { folder + "/" + name }

    func addSample(_ name: String, as newName: String? = nil) throws {
        try FileManager.default.copyItem(
            atPath: Self.samples + "/" + name, toPath: videos + "/" + (newName ?? name))
    }

    func write(_ text: String, to name: String) throws {
        try text.write(toFile: folder + "/" + name, atomically: true, encoding: .utf8)
    }

    /// A pipeline whose rules let the samples pass, with short units so that there are several.
    func pipeline(_ change: (String) -> String = { $0 }) throws -> String {
        let text = """
            run: { workers: 1, threads: 1 }
            ingest:
            measure: { unit_seconds: 3 }
            select:
              rules:
                duration: { minimum: 2 }
                face_width: { minimum: 30 }
                face_height: { minimum: 40 }
                sharpness: { minimum: 0.05 }
                sound: { minimum: null }
                speech: { minimum: null }
                mouth_in_speech: { minimum: null }
              clips: { maximum_seconds: 3, per_shard: 2 }
              split: { val: 0.3, test: 0 }
            crop: { video: { size: 128, preset: ultrafast } }
            extract: { keypoints: , motion: , speech: }
            pack:
            """
        try write(change(text), to: "pipeline.yaml")
        return folder + "/pipeline.yaml"
    }

    /// Two videos, and a pipeline for workers of which some are lost.
    ///
    /// - Parameter lapse: the seconds after which a worker is taken to be lost.
    static func forWorkers(lapse: Int) throws -> (bench: Workbench, pipeline: String) {
        let bench = try Workbench()
        try bench.addSample("obama_speech.mp4")
        try bench.addSample("single_face.mp4")
        let pipeline = try bench.pipeline {
            $0.replacingOccurrences(of: "threads: 1 }", with: "threads: 1, lapse: \(lapse) }")
                .replacingOccurrences(of: ", speech: }", with: " }")
        }
        return (bench, pipeline)
    }

    struct Result {
        let status: Int32
        let output: String
        let errors: String
    }

    @discardableResult
    func loopy(_ arguments: String...) throws -> Result {
        try Self.run(Self.executables + "/loopy", arguments)
    }

    func start(_ arguments: String...) throws -> Process { try start(arguments) }

    /// - Parameter log: takes what is said on standard error.
    func start(_ arguments: [String], log: String? = nil) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.executables + "/loopy")
        process.arguments = arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        if let log {
            try Data().write(to: URL(fileURLWithPath: log))
            process.standardError = FileHandle(forWritingAtPath: log)
        }
        try process.run()
        return process
    }

    static func run(_ executable: String, _ arguments: [String]) throws -> Result {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        let log = NSTemporaryDirectory() + "loopy-test-log-\(UUID().uuidString)"
        try Data().write(to: URL(fileURLWithPath: log))
        defer { try? FileManager.default.removeItem(atPath: log) }
        let errors = FileHandle(forWritingAtPath: log)
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = errors
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Result(
            status: process.terminationStatus, output: String(decoding: output, as: UTF8.self),
            errors: (try? String(contentsOfFile: log, encoding: .utf8)) ?? "")
    }

    /// Runs a server while `body` does: one that prints its port when it is ready, and ends with its standard
    /// input.
    static func whileRunning(
        _ server: [String], _ body: (_ port: String) throws -> Void
    ) throws {
        let process = Process(), input = Pipe(), output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = server
        (process.standardInput, process.standardOutput) = (input, output)
        // It tells of every connection that it loses.
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer {
            try? input.fileHandleForWriting.close()
            process.waitUntilExit()
        }
        var port = Data()
        while port.last != UInt8(ascii: "\n") {
            let more = output.fileHandleForReading.availableData
            try #require(!more.isEmpty)
            port += more
        }
        try body(String(decoding: port.dropLast(), as: UTF8.self))
    }

    /// The resources that a page of `loopy page` holds, by name.
    static func held(_ page: String) throws -> [String: Data] {
        let text = try String(contentsOfFile: page, encoding: .utf8)
        let start = try #require(text.range(of: #"id="resources">"#)).upperBound
        let end = try #require(text.range(of: "</script>", range: start..<text.endIndex))
        return try JSONDecoder().decode(
            [String: Data].self, from: Data(text[start..<end.lowerBound].utf8))
    }

    /// Whether there is a process whose command line has such a part.
    static func isRunning(_ pattern: String) throws -> Bool {
        try run("/usr/bin/pgrep", ["-f", pattern]).status == 0
    }

    /// Waits until something holds, and records an issue when that takes more than half a minute.
    static func wait(
        until holds: () throws -> Bool, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let deadline = Date().addingTimeInterval(30)
        while try !holds() {
            guard Date() < deadline else {
                Issue.record("waited for half a minute", sourceLocation: sourceLocation)
                return
            }
            Thread.sleep(forTimeInterval: 0.05)
        }
    }

    static func ffmpeg(_ arguments: String...) throws {
        let result = try run("/usr/bin/ffmpeg", ["-v", "error", "-y"] + arguments)
        precondition(result.status == 0, "ffmpeg \(arguments): \(result.errors)")
    }

    static func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    /// Every path below a folder, without what workers leave for one another.
    private static func paths(_ folder: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: folder).filter {
            !$0.hasPrefix(".work")
        }
    }

    /// Digest of every file below a folder, by relative path.
    static func contents(_ folder: String) throws -> [String: String] {
        var found: [String: String] = [:]
        for path in try paths(folder) {
            var isFolder: ObjCBool = false
            let full = folder + "/" + path
            if FileManager.default.fileExists(atPath: full, isDirectory: &isFolder),
                !isFolder.boolValue
            {
                found[path] = try Digest.ofFile(full)
            }
        }
        return found
    }

    /// Files that are not the same in two folders, or in one of them only.
    static func differences(_ a: String, _ b: String) throws -> [String] {
        let (a, b) = (try contents(a), try contents(b))
        return Set(a.keys).union(b.keys).filter { a[$0] != b[$0] }.sorted()
    }

    /// When every file below a folder was written, by relative path.
    static func times(_ folder: String) throws -> [String: Date] {
        var found: [String: Date] = [:]
        for path in try paths(folder) {
            let attributes = try FileManager.default.attributesOfItem(atPath: folder + "/" + path)
            if attributes[.type] as? FileAttributeType == .typeRegular {
                found[path] = attributes[.modificationDate] as? Date
            }
        }
        return found
    }
}

import Errors
import Foundation
import Storage

/// A line of `.work/log/WORKER.jsonl`: each worker writes a file of its own, so that none waits for another.
struct WorkLine: Codable, Sendable, Equatable {
    var stage: String
    /// Nil for the line that begins a stage.
    var unit: String?
    /// The seconds that the unit took.
    var seconds: Double?
    /// The units that were to be built when the stage began.
    var pending: Int?
    /// When the line was written, by the clock of the worker's machine, in seconds since 1970.
    var time: Double
}

/// What one worker has done.
package struct WorkLog: Sendable {
    private let path: String

    package init(_ folder: String, worker: WorkerName) { path = "\(folder)/\(worker).jsonl" }

    /// - Throws: `LoopyError` `.output`.
    package func add(
        _ stage: String, unit: String? = nil, seconds: Double? = nil, pending: Int? = nil
    ) throws {
        try OutputFile.makeFolder((path as NSString).deletingLastPathComponent)
        let line = WorkLine(
            stage: stage, unit: unit, seconds: seconds, pending: pending,
            time: Date().timeIntervalSince1970)
        let bytes = try JSONLines.line(line)
        let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
        guard file >= 0 else { throw LoopyError.system(.output, "opening it", path) }
        defer { close(file) }
        guard write(file, bytes, bytes.count) == bytes.count else {
            throw LoopyError.system(.output, "writing", path)
        }
    }

    /// Every worker's lines.
    static func read(_ folder: String) -> [WorkLine] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.sorted().flatMap { name in
            // The last line may be half there.
            (try? JSONLines.read(WorkLine.self, from: folder + "/" + name)) ?? []
        }
    }
}

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
    private let folder: any WorkFolder
    private let name: String

    package init(_ folder: any WorkFolder, worker: WorkerName) {
        self.folder = folder
        name = "log/\(worker).jsonl"
    }

    /// - Throws: `LoopyError` `.output`.
    package func add(
        _ stage: String, unit: String? = nil, seconds: Double? = nil, pending: Int? = nil
    ) throws {
        let line = WorkLine(
            stage: stage, unit: unit, seconds: seconds, pending: pending,
            time: Date().timeIntervalSince1970)
        try folder.append(JSONLines.line(line), to: name)
    }

    /// Every worker's lines.
    static func read(_ folder: any WorkFolder) throws -> [WorkLine] {
        let decoder = JSONDecoder()
        return try folder.files(in: "log").flatMap { file in
            // The last line may be half there.
            (try folder.read(file.name) ?? Data()).split(separator: UInt8(ascii: "\n")).compactMap {
                try? decoder.decode(WorkLine.self, from: $0)
            }
        }
    }
}

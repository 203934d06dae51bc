import Foundation
import Storage

/// Where everything lies in a dataset directory, and the files that hold one list each.
public struct DatasetDirectory: Sendable {
    public let path: String

    public init(_ path: String) { self.path = path }

    public var sourcesFile: String { path + "/sources.jsonl" }
    /// What came of importing annotations; not there where there were none.
    public var ingestReportFile: String { path + "/ingest-report.json" }
    public var selectionFile: String { path + "/selection.jsonl" }
    public var failuresFile: String { path + "/failures.jsonl" }
    public var catalogueFile: String { path + "/dataset.json" }
    public var shardsFolder: String { path + "/shards" }
    /// The file that processes lock while they change what belongs to the whole dataset.
    public var lockFile: String { path + "/.lock" }

    /// Where workers leave word for one another: who works on what, and what was done when.
    public var workFolder: String { path + "/.work" }

    public func measurementsFolder(_ fingerprint: Fingerprint) -> String {
        path + "/measurements-" + fingerprint.short
    }

    public func columnFolder(_ column: String, _ fingerprint: Fingerprint) -> String {
        path + "/columns/" + column + "-" + fingerprint.short
    }

    public func sources() throws -> [Source] {
        try JSONLines.read(Source.self, from: sourcesFile)
    }

    public func selection() throws -> [Decision] {
        try JSONLines.read(Decision.self, from: selectionFile)
    }
}

import Dataset
import Errors
import Foundation
import Storage
import Subprocess

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// The lists of a dataset as tables for databases and data frames: DuckDB reads the JSON lines, with the types
/// that the dataset means, and writes them.
///
///     sources.parquet        one row a source
///     measurements.parquet   one row a candidate of a measured stretch; a column for each metric
///     selection.parquet      one row a decision
///     failures.parquet       what could not be done
///
/// DuckDB runs in a Python of the user's: `LOOPY_PYTHON` names one that has the package `duckdb`.
public struct TableExport: Sendable {
    public enum Format: String, Sendable, CaseIterable {
        case parquet, csv

        var options: String {
            switch self {
            case .parquet: "FORMAT parquet, COMPRESSION zstd"
            case .csv: "FORMAT csv, HEADER"
            }
        }
    }

    /// A metric as a column: its name, and what it is.
    public typealias MetricColumn = (name: String, description: String)

    private let dataset: DatasetDirectory
    private let format: Format
    private let metrics: [MetricColumn]

    /// - Parameter metrics: the columns that measurements get, in order.
    public init(_ dataset: DatasetDirectory, format: Format, metrics: [MetricColumn]) {
        (self.dataset, self.format, self.metrics) = (dataset, format, metrics)
    }

    /// A list of the dataset.
    private struct Table {
        var name: String
        /// The files' pattern.
        var files: String
        /// The type of each member of a line.
        var types: [(String, String)]
        /// What is selected of a line.
        var columns: [String]
        /// What is said of columns in the file.
        var descriptions: [MetricColumn] = []
    }

    /// Writes the tables that there are lists for.
    ///
    /// - Returns: the paths of the files written.
    /// - Throws: `LoopyError` `.missing` where nothing is ingested; `.output` where DuckDB cannot be had, or
    ///   cannot write.
    public func write(to folder: String) async throws -> [String] {
        guard FileManager.default.fileExists(atPath: dataset.sourcesFile) else {
            throw LoopyError(
                .missing, "lists no sources: run loopy-ingest first", path: dataset.path)
        }
        try OutputFile.makeFolder(folder)
        let tables = try tables()
        let written = tables.map { "\(folder)/\($0.name).\(format.rawValue)" }
        // Each file appears whole or not at all.
        let partial = written.map { "\($0).partial-\(getpid())" }
        defer { for path in partial { unlink(path) } }
        try await Self.run(zip(tables, partial).map(statement).joined(separator: "\n"))
        for (path, final) in zip(partial, written) where rename(path, final) != 0 {
            throw LoopyError.system(.output, "renaming", path)
        }
        return written
    }

    private func tables() throws -> [Table] {
        var tables = [sources]
        if let measurements = try Catalogue.read(dataset).measurements {
            tables.append(
                measured(dataset.measurementsFolder(measurements.fingerprint) + "/*.jsonl"))
        }
        for table in [selection, failures]
        where FileManager.default.fileExists(atPath: table.files) { tables.append(table) }
        return tables
    }

    private var sources: Table {
        let video =
            "STRUCT(codec VARCHAR, width BIGINT, height BIGINT, frames_per_second DOUBLE, grid_frames BIGINT)"
        let audio = "STRUCT(codec VARCHAR, sample_rate BIGINT, channels BIGINT)"
        return Table(
            name: "sources", files: dataset.sourcesFile,
            types: [
                ("digest", "VARCHAR"), ("path", "VARCHAR"), ("bytes", "BIGINT"),
                ("identity", "VARCHAR"), ("reason", "VARCHAR"), ("error", "VARCHAR"),
                (
                    "probe",
                    "STRUCT(container VARCHAR, duration DOUBLE, video \(video), audio \(audio))"
                ),
            ],
            columns: [
                "digest", "path", "bytes", "identity", "reason", "error",
                "probe.container AS container", "probe.duration AS duration",
                "probe.video.codec AS video_codec", "probe.video.width AS width",
                "probe.video.height AS height",
                "probe.video.frames_per_second AS frames_per_second",
                "probe.audio.codec AS audio_codec", "probe.audio.sample_rate AS sample_rate",
                "probe.audio.channels AS channels",
            ])
    }

    private func measured(_ files: String) -> Table {
        let names = metrics.map { "\"\($0.name)\" DOUBLE" }.joined(separator: ", ")
        return Table(
            name: "measurements", files: files,
            types: [
                ("outcome", "VARCHAR"), ("source", "VARCHAR"), ("start", "BIGINT"),
                ("end", "BIGINT"), ("face", "BIGINT"), ("metrics", "STRUCT(\(names))"),
                ("sync_curve", "DOUBLE[]"), ("error", "VARCHAR"),
            ],
            columns: ["outcome", "source", "start", "\"end\"", "face"]
                + metrics.map { "metrics.\"\($0.name)\" AS \"\($0.name)\"" }
                + ["sync_curve", "error"],
            descriptions: metrics)
    }

    private var selection: Table {
        let types = [
            ("source", "VARCHAR"), ("path", "VARCHAR"), ("start", "DOUBLE"), ("end", "DOUBLE"),
            ("face", "BIGINT"), ("decision", "VARCHAR"), ("rule", "VARCHAR"), ("value", "DOUBLE"),
            ("limit", "DOUBLE"), ("duplicate_of", "VARCHAR"), ("key", "VARCHAR"),
            ("shard", "VARCHAR"), ("split", "VARCHAR"),
            ("identity", "VARCHAR"), ("crop", "STRUCT(x BIGINT, y BIGINT, side BIGINT)"),
            ("crop_margin", "DOUBLE"), ("audio_delay", "BIGINT"), ("error", "VARCHAR"),
        ]
        return Table(
            name: "selection", files: dataset.selectionFile, types: types,
            columns: types.map { "\"\($0.0)\"" })
    }

    private var failures: Table {
        let types = ["stage", "path", "key", "reason", "error"].map { ($0, "VARCHAR") }
        return Table(
            name: "failures", files: dataset.failuresFile, types: types,
            columns: types.map { "\"\($0.0)\"" })
    }

    private func statement(_ table: Table, to path: String) -> String {
        let types = table.types.map { "\(Self.quoted($0)): \(Self.quoted($1))" }
        var options = format.options
        if format == .parquet, !table.descriptions.isEmpty {
            let said = table.descriptions.map {
                "\(Self.quoted($0.name)): \(Self.quoted($0.description))"
            }
            options += ", KV_METADATA {\(said.joined(separator: ", "))}"
        }
        return """
            COPY (SELECT \(table.columns.joined(separator: ", "))
              FROM read_json(\(Self.quoted(table.files)), format = 'newline_delimited',
                             columns = {\(types.joined(separator: ", "))}))
              TO \(Self.quoted(path)) (\(options));
            """
    }

    private static func quoted(_ text: String) -> String {
        "'" + text.replacingOccurrences(of: "'", with: "''") + "'"
    }

    private static func run(_ statements: String) async throws {
        let python = ProcessInfo.processInfo.environment["LOOPY_PYTHON"] ?? "python3"
        let program = "import sys, duckdb; duckdb.connect().execute(sys.stdin.read())"
        let result = try await Subprocess.run(
            python.contains("/") ? .path(FilePath(python)) : .name(python),
            arguments: ["-c", program], input: .string(statements),
            output: .discarded, error: .string(limit: 1 << 16))
        guard result.terminationStatus.isSuccess else {
            let error = result.standardError.split(separator: "\n").last ?? ""
            let advice =
                error.contains("No module named")
                ? ": 'pip install duckdb', or name a Python 3 that has it with LOOPY_PYTHON" : ""
            throw LoopyError(.output, "\(python): \(error)\(advice)")
        }
    }
}

import ArgumentParser
import Curation
import Dataset
import StageCommand
import Work

struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write sources, measurements, selection and failures as tables.",
        discussion: """
            DuckDB writes them, in a Python 3 that has the package duckdb; LOOPY_PYTHON names one. It reads the \
            dataset's own files just as well: docs/questions.md.
            """)

    @Argument(help: ArgumentHelp("The dataset directory.", valueName: "dir"))
    var dataset: String

    @Option(help: "parquet, or csv.")
    var format = TableExport.Format.parquet

    @Option(
        help: ArgumentHelp("Where the tables go; DATASET/tables when left out.", valueName: "dir"))
    var to: String?

    func run() async throws {
        try await interruptibly {
            let measured = try Catalogue.read(DatasetDirectory(dataset)).measurements
            let metrics = (Metric.all + (measured?.metricsOfNetworks ?? [])).map { metric in
                (
                    metric.name,
                    metric.unit.isEmpty ? metric.meaning : "\(metric.unit): \(metric.meaning)"
                )
            }
            let export = TableExport(DatasetDirectory(dataset), format: format, metrics: metrics)
            for path in try await export.write(to: to ?? dataset + "/tables") { print(path) }
        }
    }
}

extension TableExport.Format: ExpressibleByArgument {}

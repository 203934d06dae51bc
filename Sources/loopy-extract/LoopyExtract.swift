import ArgumentParser
import Dataset
import Features
import StageCommand

@main
struct LoopyExtract: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loopy-extract",
        abstract: "Compute one column of every clip, or of one file.",
        usage: """
            loopy-extract COLUMN --dataset DIR [--config FILE]
            loopy-extract COLUMN --input FILE --output FILE.npy [--config FILE]
            """,
        discussion: "Columns: " + FeatureColumns.names.joined(separator: ", ") + ".")

    @Argument(help: "The column.")
    var column: String

    @Option(help: ArgumentHelp("The dataset directory.", valueName: "dir"))
    var dataset: String?

    @Option(
        help: ArgumentHelp(
            "A file to extract from, outside of any dataset: a video, a recording.",
            valueName: "file"))
    var input: String?

    @Option(help: ArgumentHelp("Where to write what was extracted from it.", valueName: "file.npy"))
    var output: String?

    @OptionGroup var options: SettingsOptions
    @OptionGroup var units: UnitOptions

    func validate() throws {
        let isFile = input != nil && output != nil && dataset == nil
        let isDataset = input == nil && output == nil && dataset != nil
        guard isFile || isDataset else {
            throw ValidationError("give either --dataset, or both --input and --output")
        }
    }

    func run() throws {
        try reporting { try run(FeatureColumns.named(column)) }
    }

    private func run<Column: FeatureColumn>(_ type: Column.Type) throws {
        let settings = try options.read(Column.Settings(), section: ["extract", Column.name])
        useThreads(options.threads)
        if let input, let output {
            let frames = try Column.extract(
                from: input, to: output, settings: settings, threads: options.threads)
            say("\(output): \(frames) frames")
        } else if let dataset {
            let stage = try ExtractStage<Column>(
                DatasetDirectory(dataset), settings: settings, threads: options.threads)
            try drive("extract \(Column.name)", stage, units)
        }
    }
}

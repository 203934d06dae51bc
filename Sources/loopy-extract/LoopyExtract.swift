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
        discussion: "Columns: " + ExtractStage.columns.joined(separator: ", ") + ".")

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
        try reporting {
            useThreads(options.threads)
            var settings = ExtractSettings()
            settings.keypoints = try options.read(
                settings.keypoints, section: ["extract", "keypoints"], where: column == "keypoints")
            settings.speech = try options.read(
                settings.speech, section: ["extract", "speech"], where: column == "speech")
            settings.latents = try options.read(
                settings.latents, section: ["extract", "latents"], where: column == "latents")
            if let input, let output {
                let frames = try ExtractStage.extract(
                    column, from: input, to: output, settings: settings,
                    threads: options.threads)
                say("\(output): \(frames) frames")
            } else if let dataset {
                let stage = try ExtractStage(
                    column, DatasetDirectory(dataset), settings: settings,
                    threads: options.threads)
                try drive("extract \(column)", stage, units)
            }
        }
    }
}

extension SettingsOptions {
    /// The settings of the section when it is the one in use: a file may hold that section alone.
    fileprivate func read<Settings: Codable>(
        _ defaults: Settings, section: [String], where isUsed: Bool
    ) throws -> Settings {
        isUsed ? try read(defaults, section: section) : defaults
    }
}

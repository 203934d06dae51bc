import ArgumentParser
import Features
import StageCommand

@main
struct LoopyExtract: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loopy-extract",
        abstract: "Compute one column of every clip.",
        discussion: "Columns: " + ExtractStage.columns.joined(separator: ", ") + ".")

    @Argument(help: "The column.")
    var column: String

    @OptionGroup var options: StageOptions
    @OptionGroup var units: UnitOptions

    func run() throws {
        try reporting {
            let settings = try options.read(
                KeypointsSettings(), section: "extract", "keypoints")
            let stage = try ExtractStage(
                column, options.directory, settings: settings, threads: options.threads)
            try drive("extract \(column)", stage, units)
        }
    }
}

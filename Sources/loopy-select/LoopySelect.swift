import ArgumentParser
import Curation
import Dataset
import StageCommand

@main
struct LoopySelect: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loopy-select",
        abstract: "Decide by rules which candidates become clips. Decodes nothing.")

    @OptionGroup var options: StageOptions

    @Option(help: ArgumentHelp("The same as --config.", valueName: "file"))
    var rules: String?

    func run() throws {
        try reporting {
            var options = options
            options.settings.config = rules ?? options.settings.config
            let measured = try Catalogue.read(options.directory).measurements
            let settings = try options.read(
                SelectSettings(networks: measured?.metricsOfNetworks ?? []), section: "select")
            let report = try Selector(options.directory, settings: settings).run()
            let counts = report.counts
            print(
                "\(counts.accepted) of \(counted(counts.candidates, "candidate")) accepted, as "
                    + counted(report.clips, "clip"))
            for (rule, number) in counts.rejected.sorted(by: { $0.key < $1.key }) {
                print("\(number) rejected by \(rule)")
            }
            if !report.rulesNotApplied.isEmpty {
                print(
                    "not applied, because nothing measured it: "
                        + report.rulesNotApplied.joined(separator: ", "))
            }
        }
    }
}

import ArgumentParser
import Curation
import StageCommand

@main
struct LoopyMeasure: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loopy-measure",
        abstract: "Measure every candidate of every source, in one decoding pass.")

    @OptionGroup var options: StageOptions
    @OptionGroup var units: UnitOptions

    func run() throws {
        try reporting {
            let settings = try options.read(MeasureSettings(), section: "measure")
            useThreads(try settings.needsTorchThreads ? options.threads : 1)
            let stage = try MeasureStage(
                options.directory, settings: settings, threads: options.threads)
            try drive("measure", stage, units) { stage.summary }
        }
    }
}

import ArgumentParser
import Curation
import Foundation
import StageCommand
import Torch

@main
struct LoopyMeasure: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loopy-measure",
        abstract: "Measure every candidate of every source, in one decoding pass.")

    @OptionGroup var options: StageOptions
    @OptionGroup var units: UnitOptions

    func run() throws {
        try reporting {
            let threads = options.threads
            Torch.threads = threads > 0 ? threads : ProcessInfo.processInfo.activeProcessorCount
            let settings = try options.read(MeasureSettings(), section: "measure")
            let stage = try MeasureStage(
                options.directory, settings: settings, threads: threads)
            try drive("measure", stage, units) { stage.summary }
        }
    }
}

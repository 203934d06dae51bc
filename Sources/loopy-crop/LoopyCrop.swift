import ArgumentParser
import Curation
import StageCommand

@main
struct LoopyCrop: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loopy-crop",
        abstract: "Cut the accepted clips out of their sources: the columns video and audio.")

    @OptionGroup var options: StageOptions
    @OptionGroup var units: UnitOptions

    func run() throws {
        try reporting {
            let settings = try options.read(CropSettings(), section: "crop")
            let stage = try CropStage(
                options.directory, settings: settings, threads: options.threads)
            try drive("crop", stage, units) { stage.summary }
        }
    }
}

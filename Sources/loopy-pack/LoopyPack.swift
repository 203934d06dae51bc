import ArgumentParser
import Features
import StageCommand

@main
struct LoopyPack: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loopy-pack",
        abstract: "Pack columns into WebDataset shards.")

    @OptionGroup var options: StageOptions
    @OptionGroup var units: UnitOptions

    func run() throws {
        try reporting {
            let settings = try options.read(PackSettings(), section: "pack")
            try drive("pack", try Packer(options.directory, settings: settings), units)
        }
    }
}

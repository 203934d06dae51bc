import ArgumentParser
import Curation
import Dataset
import Foundation
import Report
import StageCommand
import Work

/// What `loopy page` and `loopy serve` show.
struct SiteOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("The dataset directory.", valueName: "dir"))
    var dataset: String

    @Option(
        name: .customLong("run"), parsing: .singleValue,
        help: ArgumentHelp(
            "A training run, beside those in the dataset's folder runs. May be repeated.",
            valueName: "dir"))
    var runs: [String] = []

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "A video by loopy-generate, in place of the dataset's held-out ones. May be repeated.",
            valueName: "file"))
    var generated: [String] = []

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("A report by loopy-evaluate. May be repeated.", valueName: "file"))
    var metrics: [String] = []

    var directory: DatasetDirectory { DatasetDirectory(dataset) }

    /// Reads the dataset, and shows how far that is.
    func site() throws -> Site {
        var progress: ProgressLine?
        defer { progress?.end() }
        let work =
            try Catalogue.read(directory).measurements == nil
            ? [] : WorkStatus(DatasetPlace(folder: dataset)).lines
        return try Site(
            directory, runs: runs, generated: generated, metrics: metrics, work: work
        ) { done, total in
            progress = progress ?? ProgressLine("reading measurements", total: total)
            progress?.advance(to: done)
        }
    }
}

struct MakePage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "page",
        abstract:
            "Write one HTML file that shows a dataset, runs trained on it, and generated videos.",
        discussion: """
            The file needs no server and no network. Limits can be moved in it, and what they would select is \
            counted at once; of the clips, some can be played. 'loopy serve' shows all of them.
            """)

    @OptionGroup var options: SiteOptions

    @Option(help: "Clips that can be played, taken evenly from all.")
    var clips = 12

    @Option(
        help: ArgumentHelp("The page; DATASET/index.html when left out.", valueName: "file"))
    var output: String?

    func run() throws {
        try reporting {
            let path = output ?? options.dataset + "/index.html"
            try Page(options.site()).write(to: path, clips: clips)
            print(path)
        }
    }
}

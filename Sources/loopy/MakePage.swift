import ArgumentParser
import Curation
import Dataset
import Report
import StageCommand
import Work

struct MakePage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "page",
        abstract:
            "Write one HTML page of a dataset, of runs trained on it, and of generated videos.",
        discussion: """
            The page and what it shows are one folder, which is opened from disk: contact sheets and clips \
            of the dataset are laid beside it, and so are generated videos that do not lie below it.
            """)

    @Option(help: ArgumentHelp("The dataset directory.", valueName: "dir"))
    var dataset: String

    @Option(
        name: .customLong("run"), parsing: .singleValue,
        help: ArgumentHelp("A training run. May be repeated.", valueName: "dir"))
    var runs: [String] = []

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("A video by loopy-generate. May be repeated.", valueName: "file"))
    var generated: [String] = []

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("A report by loopy-evaluate. May be repeated.", valueName: "file"))
    var metrics: [String] = []

    @Option(help: "Clips of the dataset to play, taken evenly from all.")
    var clips = 12

    @Option(help: ArgumentHelp("The page.", valueName: "file"))
    var output: String

    func run() throws {
        try reporting {
            let directory = DatasetDirectory(dataset)
            var page = try Page(directory, to: output)
            let stem = output.hasSuffix(".html") ? String(output.dropLast(5)) : output
            page.add(
                sheets: try ContactSheet(directory).draw(
                    to: stem + "-candidates.png", perPage: 60, pages: 5))
            try page.addClips(most: max(0, clips))
            page.add(work: try WorkStatus(DatasetPlace(folder: dataset)).lines)
            for run in runs { try page.add(run: run) }
            for video in generated { try page.add(video: video) }
            for report in metrics { try page.add(metrics: report) }
            try page.write()
            print(output)
        }
    }
}

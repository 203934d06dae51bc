import ArgumentParser
import Curation
import Dataset
import StageCommand

struct Sheet: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Draw a contact sheet: every candidate with its key points and its verdict.")

    @Option(help: ArgumentHelp("The dataset directory.", valueName: "dir"))
    var dataset: String

    @Option(help: ArgumentHelp("The PNG file; further pages get -2, -3 ….", valueName: "file"))
    var output: String

    @Option(help: "Candidates on a page.")
    var perPage = 60

    @Option(help: "Pages at most; candidates are then taken evenly from all.")
    var pages = 5

    func run() throws {
        try reporting {
            let sheet = ContactSheet(DatasetDirectory(dataset))
            for path in try sheet.draw(to: output, perPage: max(1, perPage), pages: max(1, pages)) {
                print(path)
            }
        }
    }
}

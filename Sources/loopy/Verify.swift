import ArgumentParser
import Dataset
import Features
import StageCommand

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check every digest and every invariant of a dataset.")

    @Argument(help: ArgumentHelp("The dataset directory.", valueName: "dir"))
    var dataset: String

    @Flag(help: "Also read the sources again and compare their digests.")
    var sources = false

    func run() throws {
        try reporting {
            let verification = try Verification(DatasetDirectory(dataset), sources: sources)
            for problem in verification.problems { print(problem) }
            print(
                "\(verification.files) files and \(verification.clips) clips checked, "
                    + "\(verification.problems.count) problems")
            if !verification.problems.isEmpty { throw StageExit.someFailed }
        }
    }
}

import ArgumentParser
import Curation
import StageCommand

@main
struct LoopyIngest: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loopy-ingest",
        abstract: "List raw videos in a dataset's sources.jsonl.",
        discussion: """
            Folders are searched to the bottom for files with video extensions. Files are only \
            ever read. The list holds what these inputs hold: name them all each time. What cannot be used is listed with the reason, and the exit status is 1.
            """)

    @Argument(help: "Video files, and folders of them.")
    var input: [String]

    @OptionGroup var options: StageOptions

    func run() throws {
        try reporting {
            let settings = try options.read(IngestSettings(), section: "ingest")
            var progress: ProgressLine?
            let report = try Ingest(options.directory, settings: settings).run(input) {
                _, number, total in
                if number == 1 { progress = ProgressLine("ingest", total: total) }
                progress?.advance()
            }
            progress?.end()
            let failures = try options.directory.collectFailures().filter { $0.stage == "ingest" }
            for failure in failures { say("failed: \(failure.path ?? ""): \(failure.error)") }
            for (path, original) in report.duplicates {
                say("passed over: \(path): the same bytes as \(original)")
            }
            let usable = report.sources.count { $0.probe != nil }
            print(
                "\(report.sources.count) sources, \(usable) usable, "
                    + "\(report.duplicates.count) copies and \(report.ignored) other files passed over"
            )
            if report.sources.isEmpty { say("nothing to do: no video files were found") }
            if !failures.isEmpty { throw StageExit.someFailed }
        }
    }
}

import ArgumentParser
import Curation
import StageCommand

@main
struct LoopyIngest: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loopy-ingest",
        abstract: "List raw videos, or those of a public dataset, in a dataset's sources.jsonl.",
        usage: """
            loopy-ingest VIDEOS... --dataset DIR
            loopy-ingest --format hdtf FOLDER --videos DIR --dataset DIR
            loopy-ingest --format celebv-hq celebvhq_info.json --videos DIR --dataset DIR
            loopy-ingest --format ravdess --videos DIR --dataset DIR
            loopy-ingest --format loopy PUBLISHED --videos DIR --dataset DIR
            """,
        discussion: """
            Folders are searched to the bottom for files with video extensions. Files are only \
            ever read. The list holds what these inputs hold: name them all each time. What cannot be \
            used is listed with the reason, and the exit status is 1.

            With a format, the argument names a public dataset's annotations, and its videos are \
            looked for below --videos, by name; nothing is downloaded. Only the annotated spans are \
            used, of the face in the annotated crop box, and splits part no identity. What is \
            listed and not on disk, on disk and not listed, and wrong in the annotations is \
            counted, and named in ingest-report.json; the exit status is 1 when nothing is on disk. \
            HDTF: the folder of its text files. RAVDESS: its file names say all. Loopy: the folder that \
            'loopy publish' wrote; videos are known by their bytes, and the selection is written as it was.
            """)

    @Argument(help: "Video files, and folders of them; or annotations, where there is --videos.")
    var input: [String] = []

    @Option(help: "What the annotations are. Default: folder, that there are none.")
    var format: IngestSettings.Format?

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "A folder of the annotated videos, or one of them. May be repeated.", valueName: "path")
    )
    var videos: [String] = []

    @OptionGroup var options: StageOptions

    static func main() { main(CommandLine.recordedArguments) }

    func validate() throws {
        if input.isEmpty, videos.isEmpty { throw ValidationError("name the videos") }
        if !videos.isEmpty, input.count > 1 {
            throw ValidationError(
                "annotations are one file or folder; repeat --videos for more videos")
        }
    }

    func run() throws {
        try reporting {
            var settings = try options.read(IngestSettings(), section: "ingest")
            settings.format = format ?? settings.format
            if !videos.isEmpty, let annotations = input.first {
                settings.annotations = annotations
            }
            var progress: ProgressLine?
            let report = try Ingest(options.directory, settings: settings).run(
                videos.isEmpty ? input : videos
            ) { _, number, total in
                if number == 1 { progress = ProgressLine("ingest", total: total) }
                progress?.advance()
            }
            progress?.end()
            let failures = try options.directory.collectFailures().filter { $0.stage == "ingest" }
            for failure in failures { say("failed: \(failure.path ?? ""): \(failure.error)") }
            for (path, original) in report.duplicates {
                say("skipped: \(path): the same bytes as \(original)")
            }
            if let imported = report.imported { show(imported) }
            let usable = report.sources.count { $0.probe != nil }
            print(
                counted(report.sources.count, "source") + ", \(usable) usable; skipped: "
                    + "\(report.duplicates.count) copies and \(report.ignored) other files")
            guard !report.sources.isEmpty else {
                if report.imported == nil {
                    print("no video was found: name video files, or folders that hold some")
                    return
                }
                print("no annotated span is on disk: name the folder of the videos with --videos")
                throw StageExit.someFailed
            }
            if !failures.isEmpty { throw StageExit.someFailed }
        }
    }

    private func show(_ report: ImportReport) {
        let shownProblems = 50
        for problem in report.problems.prefix(shownProblems) { say("annotations: \(problem)") }
        if report.problems.count > shownProblems {
            say("annotations: \(report.problems.count - shownProblems) more remarks")
        }
        func counts(_ counts: ImportReport.Counts) -> String {
            "\(counts.videos) videos, \(counts.spans) intervals, \(counts.crops) crops"
        }
        print("listed    \(counts(report.listed))")
        print("usable    \(counts(report.usable))")
        print("imported  \(counts(report.imported))")
        func list(_ what: String, _ names: [String]) {
            guard !names.isEmpty else { return }
            let first = names.prefix(5).joined(separator: ", ")
            print("\(names.count) \(what): \(first)\(names.count > 5 ? ", ..." : "")")
        }
        list("listed and not on disk", report.missing)
        list("on disk and not listed", report.unlisted)
        for (reason, files) in Dictionary(grouping: report.skipped, by: \.reason)
            .sorted(by: { $0.key < $1.key })
        {
            list("skipped, \(reason)", files.map(\.path))
        }
        print("all of them are in \(options.directory.ingestReportFile)")
    }
}

extension IngestSettings.Format: ExpressibleByArgument {}

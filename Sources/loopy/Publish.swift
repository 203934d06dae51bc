import ArgumentParser
import Curation
import Dataset
import Publishing
import StageCommand

struct Publish: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a folder of a dataset that can be given to others.",
        discussion: """
            The folder has the layout of Hugging Face's hub: a dataset card with the funnel, the rules, \
            fingerprints and splits; shards; metadata a split; and what makes the dataset again from its \
            sources. 'hf upload-large-folder' takes it. Shards are linked where nothing is left out of \
            them. Paths of this machine are not published. What was published there before is replaced; \
            other files stay.

            --without video leaves out what belongs to somebody else: pictures, sound, and the columns from \
            which they can be made again. Key points, motion and annotations stay. Who has the sources makes \
            the same dataset with 'loopy ingest --format loopy'.
            """)

    @Argument(help: ArgumentHelp("The dataset directory.", valueName: "dir"))
    var dataset: String

    @Option(
        help: ArgumentHelp(
            "The folder to publish in, made where it is missing.", valueName: "dir"))
    var to: String

    @Option(
        help: ArgumentHelp(
            "The licence under which you publish, as the hub names it, such as cc-by-4.0. The card says so "
                + "where it is missing.", valueName: "name"))
    var licence: String?

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "A column that is not published: video (with sound, latents and speech features), audio, "
                + "keypoints, .... May be repeated.", valueName: "column"))
    var without: [String] = []

    func run() throws {
        try reporting {
            let publication = try Publication(
                DatasetDirectory(dataset), licence: licence, without: without)
            var progress: ProgressLine?
            let report = try publication.write(to: to) { number, total in
                progress = progress ?? ProgressLine("publish", total: total)
                progress?.advance(to: number)
            }
            progress?.end()
            print(
                "\(counted(report.clips, "clip")) in \(counted(report.files, "file")) of \(report.bytes) "
                    + "bytes, \(report.linked) of them links")
            if !report.leftOut.isEmpty {
                print("not published: " + report.leftOut.joined(separator: ", "))
            }
            if licence == nil { say("the card names no licence: say which with --licence") }
            if report.keepsCard {
                say("\(to)/README.md has been changed and stays: remove it to have it written anew")
            }
        }
    }
}

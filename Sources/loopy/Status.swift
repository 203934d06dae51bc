import ArgumentParser
import Dataset
import Errors
import Foundation
import StageCommand
import Storage
import Stores
import Work

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Print what a dataset holds, what was rejected by which rule, and who works on it.")

    @Option(
        help: ArgumentHelp(
            "The dataset directory, or its address in an object store.", valueName: "dir"))
    var dataset: String

    @Flag(help: "Print it anew every two seconds (ten, of an object store), until Ctrl-C.")
    var watch = false

    func run() throws {
        try reporting {
            guard ObjectStore.isAddress(dataset) || FileManager.default.fileExists(atPath: dataset)
            else { throw LoopyError(.missing, "there is no such dataset", path: dataset) }
            let place = try DatasetPlace(dataset, scratch: SourceCopies.scratch, gigabytes: 0)
            defer { place.close() }
            guard watch else { return print(try text(place)) }
            while true {
                let clear = isatty(STDOUT_FILENO) == 1 ? "\u{1b}[H\u{1b}[2J" : ""
                print(clear + (try text(place)))
                fflush(nil)
                Thread.sleep(forTimeInterval: place.isRemote ? 10 : 2)
                try place.pull()
            }
        }
    }

    private func text(_ place: DatasetPlace) throws -> String {
        let work = try WorkStatus(place).lines
        return ([try Funnel(place.directory).text] + work).joined(separator: "\n")
    }
}

/// What came of the sources on the way to shards, in numbers, and what to look at where nothing did.
struct Funnel {
    let text: String

    init(_ dataset: DatasetDirectory) throws {
        let catalogue = try Catalogue.read(dataset)
        let counts = catalogue.counts
        var lines = [
            "sources     \(counts.sources)",
            "candidates  \(counts.candidates)",
            "accepted    \(counts.accepted)",
        ]
        for (rule, count) in counts.rejected.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) })
        {
            lines.append("rejected    \(count) by \(rule)")
        }
        lines.append("clips       \(counts.clips)")
        lines.append("frames      \(counts.frames)")
        lines.append("hours       \(counts.hours)")
        for split in Decision.Split.allCases {
            let shards = catalogue.shards.filter { $0.split == split }
            guard !shards.isEmpty else { continue }
            let clips = shards.reduce(0) { $0 + $1.clips }
            lines.append("\(split.rawValue)       \(clips) clips in \(shards.count) shards")
        }
        if !catalogue.rulesNotApplied.isEmpty {
            lines.append(
                "not applied " + catalogue.rulesNotApplied.joined(separator: ", ")
                    + " (nothing measured it)")
        }
        let failures = (try? JSONLines.read(Failure.self, from: dataset.failuresFile)) ?? []
        if !failures.isEmpty { lines.append("failures    \(failures.count), in failures.jsonl") }
        text = (lines + Self.advice(counts, dataset)).joined(separator: "\n")
    }

    private static func advice(_ counts: Catalogue.Counts, _ dataset: DatasetDirectory) -> [String]
    {
        guard counts.accepted == 0, FileManager.default.fileExists(atPath: dataset.selectionFile)
        else { return [] }
        if counts.sources == 0 {
            return ["no video was found: name video files, or folders that hold some, with --input"]
        }
        return [
            "no candidate is accepted; to see why:",
            "  loopy sheet --dataset \(dataset.path) --output \(dataset.path)/sheet.png"
                + "     every candidate with its verdict",
            "  loopy serve \(dataset.path)     the same in a browser, with the numbers",
            "  \(dataset.selectionFile)    every decision: rule, value, limit",
        ]
    }
}

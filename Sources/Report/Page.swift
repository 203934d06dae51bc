import Dataset
import Foundation
import Media
import Storage

/// One page that a person opens to see what came of a dataset, of training on it, and of generating: the
/// funnel, the candidates, the loss, the videos.
///
/// The page is one file beside what it shows. Everything on it is read from the files that the stages
/// wrote; it is laid out by the script in `page.html`.
public struct Page {
    private let output: String
    private var facts: Facts

    /// - Parameter output: path of the page; what it shows lies beside it or is named relative to it.
    /// - Throws: `LoopyError` when the dataset cannot be read.
    public init(_ dataset: DatasetDirectory, to output: String) throws {
        self.output = output
        let catalogue = try Catalogue.read(dataset)
        facts = Facts(
            dataset: (dataset.path as NSString).lastPathComponent, counts: catalogue.counts,
            rulesNotApplied: catalogue.rulesNotApplied,
            columns: catalogue.columns.mapValues(\.settings),
            decisions: try dataset.selection().map(Facts.Candidate.init))
    }

    /// Adds the contact sheets: pictures of the candidates.
    public mutating func add(sheets: [String]) { facts.sheets += sheets.map(link) }

    /// Adds a training run.
    ///
    /// - Throws: `LoopyError` when the folder holds none.
    public mutating func add(run: String) throws {
        struct Description: Decodable {
            struct Settings: Decodable {
                struct Model: Decodable { var stage: String }
                var preset: String
                var model: Model
            }
            var settings: Settings
        }
        let description = try JSONLines.readDocument(
            Description.self, from: run + "/run.json")
        let lines = try JSONLines.read(Facts.Metrics.self, from: run + "/metrics.jsonl")
        facts.runs.append(
            Facts.Run(
                name: (run as NSString).lastPathComponent,
                model: description.settings.preset, stage: description.settings.model.stage,
                metrics: lines))
    }

    /// Adds a generated video, with the portrait that it was made from.
    ///
    /// - Throws: `LoopyError` when its record or the portrait is missing.
    public mutating func add(video: String) throws {
        struct Record: Decodable {
            struct Portrait: Decodable {
                var path: String
                var crop: CropSquare
            }
            var portrait: Portrait
            var side: Int
        }
        let stem = (video as NSString).deletingPathExtension
        let record = try JSONLines.readDocument(Record.self, from: stem + ".json")
        let portrait = try VideoReader.firstPicture(path: record.portrait.path)
            .cut(record.portrait.crop, size: record.side)
        var canvas = Canvas(width: record.side, height: record.side, fill: .init(0, 0, 0))
        try canvas.pixels.withUnsafeMutableBufferPointer {
            try RGBConverter().convert(portrait, into: $0)
        }
        try OutputFile.write(canvas.png(), to: stem + ".portrait.png")
        let bytes = FileManager.default.contents(atPath: stem + ".json") ?? Data()
        facts.videos.append(
            Facts.Video(
                video: link(video), portrait: link(stem + ".portrait.png"),
                record: String(decoding: bytes, as: UTF8.self)))
    }

    /// - Throws: `LoopyError` `.output`.
    public func write() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        // Without this character nothing in the facts can end the script that holds them, or begin
        // another inside of it.
        let json = String(decoding: try encoder.encode(facts), as: UTF8.self)
            .replacingOccurrences(of: "<", with: "\\u003c")
        let page = String(decoding: PackageResources.page_html, as: UTF8.self)
            .replacingOccurrences(of: "\"FACTS\"", with: json)
        try OutputFile.write(page.utf8, to: output)
    }

    /// A path as the page names it: relative where the file lies beside or below it.
    private func link(_ path: String) -> String {
        let folder = URL(fileURLWithPath: output).standardizedFileURL.deletingLastPathComponent()
        let target = URL(fileURLWithPath: path).standardizedFileURL.path
        let isBelow = target.hasPrefix(folder.path + "/")
        let relative = isBelow ? String(target.dropFirst(folder.path.count + 1)) : target
        // A colon in a name would be taken for the end of a scheme.
        let allowed = CharacterSet.urlPathAllowed.subtracting(CharacterSet(charactersIn: ":"))
        return relative.addingPercentEncoding(withAllowedCharacters: allowed) ?? relative
    }
}

/// What the page shows, as its script reads it.
private struct Facts: Encodable {
    struct Candidate: Encodable {
        var file: String
        var start: Double
        var end: Double
        var verdict: Decision.Verdict
        var rule: String?
        var value: Double?
        var limit: Double?
        var split: Decision.Split?

        init(_ decision: Decision) {
            file = (decision.path as NSString).lastPathComponent
            (start, end, verdict) = (decision.start, decision.end, decision.decision)
            (rule, value, limit) = (decision.rule, decision.value, decision.limit)
            split = decision.split
        }
    }

    struct Metrics: Codable, Sendable {
        var step: Int
        var loss: Double?
        var validation: [String: Double]?
    }

    struct Run: Encodable {
        var name: String
        var model: String
        var stage: String
        var metrics: [Metrics]
    }

    struct Video: Encodable {
        var video: String
        var portrait: String
        /// `OUT.json` as it is.
        var record: String
    }

    var dataset: String
    var counts: Catalogue.Counts
    var rulesNotApplied: [String]
    var columns: [String: JSONValue]
    var decisions: [Candidate]
    var sheets: [String] = []
    var runs: [Run] = []
    var videos: [Video] = []
}

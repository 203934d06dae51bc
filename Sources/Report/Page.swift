import Dataset
import Errors
import Foundation
import Media
import Perception
import Storage

/// One page that a person opens to see what came of a dataset, of training on it, and of generating: the
/// videos, the funnel, clips, the candidates, the loss.
///
/// The page and what it shows are one folder that is opened from disk. Everything on it is read from the
/// files that the stages wrote; it is laid out by the script in `page.html`.
public struct Page {
    private let output: String
    private let dataset: DatasetDirectory
    private let catalogue: Catalogue
    private let selection: [Decision]
    private var facts: Facts
    private var follower: FaceFollower?

    /// - Parameter output: path of the page; what it shows lies beside it or is named relative to it.
    /// - Throws: `LoopyError` when the dataset cannot be read.
    public init(_ dataset: DatasetDirectory, to output: String) throws {
        self.output = output
        self.dataset = dataset
        catalogue = try Catalogue.read(dataset)
        selection = try dataset.selection()
        facts = Facts(
            dataset: (dataset.path as NSString).lastPathComponent, counts: catalogue.counts,
            funnel: Funnel(selection, catalogue.counts).bars,
            rulesNotApplied: catalogue.rulesNotApplied,
            columns: catalogue.columns.mapValues(\.settings),
            decisions: selection.map(Facts.Candidate.init))
    }

    /// Adds the contact sheets: pictures of the candidates.
    public mutating func add(sheets: [String]) { facts.sheets += sheets.map(link) }

    /// Adds who works on the dataset, in lines of text.
    public mutating func add(work lines: [String]) { facts.work += lines }

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

    /// Adds a generated video, with the portrait that it was made from, the curve of its mouth and that of
    /// its sound. A video that does not lie below the page is copied to it.
    ///
    /// - Throws: `LoopyError` when the video, its record or the portrait is missing or cannot be read.
    public mutating func add(video: String) throws {
        struct Record: Decodable {
            struct Portrait: Decodable {
                var path: String
                var crop: CropSquare
            }
            var portrait: Portrait
            var side: Int
        }
        let record = try JSONLines.readDocument(
            Record.self, from: (video as NSString).deletingPathExtension + ".json")
        let follower = try follower ?? FaceFollower()
        self.follower = follower
        let curves = try VideoCurves(of: video, follower)
        let bytes = try recordBytes(of: video)
        let place = try placed(video)
        let stem = (place as NSString).deletingPathExtension
        let picture = stem + ".portrait.png"
        let poster = try Poster.write(
            of: place, frame: curves.opening.count / 2, to: stem + ".poster.png")
        try OutputFile.write(
            portrait(record.portrait.path, record.portrait.crop, side: record.side).png(),
            to: picture)
        facts.videos.append(
            Facts.Video(
                video: link(place), poster: poster.map(link), portrait: link(picture),
                record: String(decoding: bytes, as: UTF8.self), curves: curves))
    }

    private func recordBytes(of video: String) throws -> Data {
        let path = (video as NSString).deletingPathExtension + ".json"
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw LoopyError(.missing, "cannot be read", path: path)
        }
        return bytes
    }

    private func portrait(_ path: String, _ crop: CropSquare, side: Int) throws -> Canvas {
        let picture = try VideoReader.firstPicture(path: path).cut(crop, size: side)
        var canvas = Canvas(width: side, height: side, fill: .init(0, 0, 0))
        try canvas.pixels.withUnsafeMutableBufferPointer {
            try RGBConverter().convert(picture, into: $0)
        }
        return canvas
    }

    /// The path of a file in the page's folder: its own, or that of a copy.
    private func placed(_ path: String) throws -> String {
        if isBelow(path) { return path }
        let copy =
            "\(stem)-generated/\(facts.videos.count + 1)-\((path as NSString).lastPathComponent)"
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw LoopyError(.missing, "cannot be read", path: path)
        }
        try OutputFile.write(bytes, to: copy)
        return copy
    }

    /// Adds clips of the dataset as players, at equal distances in the order of the selection; their files
    /// are laid beside the page.
    ///
    /// - Throws: `LoopyError` for a column that is damaged, or `.output`.
    public mutating func addClips(most: Int) throws {
        let clips = try ClipPlayers(dataset, catalogue, selection, in: stem + "-clips")
            .write(most: most)
        facts.clips = clips.map { clip in
            var clip = clip
            clip.video = link(clip.video)
            (clip.poster, clip.sound) = (clip.poster.map(link), clip.sound.map(link))
            return clip
        }
    }

    /// Adds the figures of a report by `loopy-evaluate`.
    ///
    /// - Throws: `LoopyError` when the file is none.
    public mutating func add(metrics: String) throws {
        struct Report: Decodable { var metrics: [String: Facts.Figure] }
        let report = try JSONLines.readDocument(Report.self, from: metrics)
        facts.figures.append(report.metrics.filter { $0.value.value != nil })
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

    /// The page's path without its ending: what is laid beside it begins with this.
    private var stem: String {
        output.hasSuffix(".html") ? String(output.dropLast(".html".count)) : output
    }

    private var folder: String {
        URL(fileURLWithPath: output).standardizedFileURL.deletingLastPathComponent().path
    }

    private func isBelow(_ path: String) -> Bool {
        URL(fileURLWithPath: path).standardizedFileURL.path.hasPrefix(folder + "/")
    }

    /// A path as the page names it: relative where the file lies beside or below it.
    private func link(_ path: String) -> String {
        let target = URL(fileURLWithPath: path).standardizedFileURL.path
        let relative = isBelow(path) ? String(target.dropFirst(folder.count + 1)) : target
        // A colon in a name would be taken for the end of a scheme.
        let allowed = CharacterSet.urlPathAllowed.subtracting(CharacterSet(charactersIn: ":"))
        return relative.addingPercentEncoding(withAllowedCharacters: allowed) ?? relative
    }
}

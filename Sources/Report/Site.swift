import Curation
import Dataset
import Errors
import Foundation
import Media
import Storage
import Synchronization

/// What a person looks at to understand a dataset, runs that were trained on it and videos that models made:
/// resources that have names. `loopy serve` makes each when a browser asks for it; `loopy page` holds some of
/// them in one file.
///
///     state.json         the dataset, and the settings that selected its clips
///     table              every clip that any limits could make (`CandidateTable`)
///     clips/ROW.…        a row of the table from near (`ClipResources`)
///     runs.json          training runs and their metrics; runs/N/STEP.png, pictures of samples
///     videos.json        generated videos; videos/N.…, their files
///     figures.json       reports of loopy-evaluate
public final class Site: Sendable {
    public let dataset: DatasetDirectory
    private let clips: ClipResources?
    private let table: [UInt8]?
    private let runs: RunResources
    private let videos: VideoResources
    private let state: State
    private let figures: [[String: Figure]]

    /// The rows of the table.
    public var rows: [SelectableClip] { clips?.rows ?? [] }

    /// - Parameters:
    ///   - runs: folders of training runs, beside those in the dataset's folder `runs`.
    ///   - generated: videos by loopy-generate; held-out ones of the dataset where there are none.
    ///   - metrics: reports of loopy-evaluate; that of the held-out clips where there are none.
    ///   - work: who works on the dataset, in lines of text.
    ///   - onSource: called with how many of the sources have been read, of how many.
    /// - Throws: `LoopyError` when the dataset, a run, a video or a report cannot be read.
    public init(
        _ dataset: DatasetDirectory, runs: [String] = [], generated: [String] = [],
        metrics: [String] = [], work: [String] = [], onSource: (Int, Int) -> Void = { _, _ in }
    ) throws {
        guard FileManager.default.fileExists(atPath: dataset.path) else {
            throw LoopyError(.missing, "there is no such dataset", path: dataset.path)
        }
        self.dataset = dataset
        let catalogue = try Catalogue.read(dataset)
        if catalogue.measurements == nil {
            (clips, table) = (nil, nil)
        } else {
            let rows = try CandidateTable(dataset, onSource: onSource)
            table = try rows.encoded()
            clips = try ClipResources(dataset, catalogue, rows.clips)
        }
        self.runs = RunResources(runs, in: dataset.path + "/runs")
        let heldOut = dataset.path + "/held-out"
        videos = try VideoResources(generated, orIn: heldOut + "/generated")
        let report = heldOut + "/metrics.json"
        let hasReport = metrics.isEmpty && FileManager.default.fileExists(atPath: report)
        figures = try (hasReport ? [report] : metrics).map { path in
            struct Report: Decodable { var metrics: [String: Figure] }
            let report = try JSONLines.readDocument(Report.self, from: path)
            return report.metrics.filter { $0.value.value != nil }
        }
        state = try State(dataset, catalogue, work: work, hasVideos: !generated.isEmpty)
        // What is not there is better said now than when a browser asks for it.
        _ = try self.runs.description()
    }

    /// - Returns: nil where there is no such resource.
    /// - Throws: `LoopyError` when it cannot be made.
    public func resource(_ name: String) throws -> Resource? {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        switch (parts[0], parts.count) {
        case ("state.json", 1): return try .json(state)
        case ("table", 1): return table.map { Resource(.bytes($0), type: .binary) }
        case ("runs.json", 1): return try .json(runs.description())
        case ("videos.json", 1): return try .json(videos.description())
        case ("figures.json", 1): return try .json(figures)
        case ("clips", 2): return try clips?.resource(parts[1])
        case ("runs", 3): return runs.picture(run: parts[1], parts[2])
        case ("videos", 2): return try videos.resource(parts[1])
        default: return nil
        }
    }

    /// The page that shows the resources.
    ///
    /// - Parameter held: resources that the page itself holds, by name; nil where a server gives them.
    public static func page(holding held: [String: [UInt8]]? = nil) throws -> [UInt8] {
        func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        let script = [
            PackageResources.base_js, PackageResources.table_js, PackageResources.limits_js,
            PackageResources.list_js, PackageResources.player_js, PackageResources.runs_js,
            PackageResources.main_js,
        ].map(text).joined(separator: "\n")
        // Base64 and names hold nothing that a browser would take for markup.
        let resources = try held.map {
            text(try JSONLines.line($0.mapValues { Data($0).base64EncodedString() }))
        }
        let parts = [
            "STYLE": text(PackageResources.style_css), "SCRIPT": script,
            "SCRIPT-DIGEST": Digest.base64(of: script), "RESOURCES": resources ?? "null",
        ]
        var page = ""
        var rest = text(PackageResources.page_html)[...]
        // In one pass: what is put in is not looked at again.
        while let next = parts.keys.compactMap({ rest.range(of: "{{\($0)}}") }).min(by: {
            $0.lowerBound < $1.lowerBound
        }) {
            page +=
                rest[..<next.lowerBound]
                + (parts[String(rest[next].dropFirst(2).dropLast(2))] ?? "")
            rest = rest[next.upperBound...]
        }
        return Array((page + rest).utf8)
    }
}

/// A resource of a site.
public struct Resource: Sendable {
    public enum Content: Sendable {
        case bytes([UInt8])
        /// Some bytes of a file.
        case file(String, Range<Int>)
    }

    public enum ContentType: String, Sendable {
        case html = "text/html; charset=utf-8"
        case json = "application/json"
        case binary = "application/octet-stream"
        case jpeg = "image/jpeg"
        case png = "image/png"
        case mp4 = "video/mp4"
        case flac = "audio/flac"
    }

    public let content: Content
    public let type: ContentType

    public init(_ content: Content, type: ContentType) {
        (self.content, self.type) = (content, type)
    }

    static func json(_ value: some Encodable) throws -> Resource {
        Resource(.bytes(try JSONLines.line(value)), type: .json)
    }

    /// A whole file; nil where there is none.
    static func file(_ path: String, type: ContentType) -> Resource? {
        var information = stat()
        guard stat(path, &information) == 0 else { return nil }
        return Resource(.file(path, 0..<Int(information.st_size)), type: type)
    }

    /// All its bytes.
    ///
    /// - Throws: `LoopyError` where its file cannot be read.
    public func bytes() throws -> [UInt8] {
        switch content {
        case .bytes(let bytes): return bytes
        case .file(let path, let range):
            guard let file = FileHandle(forReadingAtPath: path) else {
                throw LoopyError(.missing, "cannot be read", path: path)
            }
            defer { try? file.close() }
            try file.seek(toOffset: UInt64(range.lowerBound))
            return Array(try file.read(upToCount: range.count) ?? Data())
        }
    }
}

/// A figure of `loopy-evaluate`.
struct Figure: Codable, Sendable {
    var value: Double?
    var clips: Int
    var frames: Int
    var protocolName: String

    private enum CodingKeys: String, CodingKey {
        case value, clips, frames
        case protocolName = "protocol"
    }
}

/// `state.json`.
private struct State: Encodable, Sendable {
    var dataset: String
    var counts: Catalogue.Counts
    var rulesNotApplied: [String]
    /// The settings of the columns.
    var columns: [String: JSONValue]
    var work: [String]
    /// The settings of `loopy-select` that differ from the defaults, the rules left out: by their names, such
    /// as "clips.face_share".
    var settings: [String: JSONValue]
    /// Whether generated videos are what the page is made for.
    var beginsWithVideos: Bool

    private enum CodingKeys: String, CodingKey {
        case dataset, counts, columns, work, settings
        case rulesNotApplied = "rules_not_applied"
        case beginsWithVideos = "begins_with_videos"
    }

    init(
        _ dataset: DatasetDirectory, _ catalogue: Catalogue, work: [String], hasVideos: Bool
    ) throws {
        let path = URL(fileURLWithPath: dataset.path).standardizedFileURL
        self.dataset = path.lastPathComponent
        counts = catalogue.counts
        rulesNotApplied = catalogue.rulesNotApplied
        columns = catalogue.columns.mapValues(\.settings)
        self.work = work
        beginsWithVideos = hasVideos
        let defaults = try JSONValue(settings: SelectSettings()).leaves
        let used = catalogue.selection?.leaves ?? [:]
        settings = used.filter { !$0.key.hasPrefix("rules.") && defaults[$0.key] != $0.value }
    }
}

extension JSONValue {
    /// The values that are no objects, by the keys that lead to them, joined by dots.
    fileprivate var leaves: [String: JSONValue] {
        guard case .object(let members) = self else { return ["": self] }
        return members.reduce(into: [:]) { leaves, member in
            for (key, value) in member.value.leaves {
                leaves[key.isEmpty ? member.key : member.key + "." + key] = value
            }
        }
    }
}

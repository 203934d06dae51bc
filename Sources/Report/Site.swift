import Curation
import Dataset
import Errors
import Foundation
import Storage

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
    private let written: [Int]
    private let clips: ClipResources?
    private let table: [UInt8]?
    private let runs: RunResources
    private let videos: VideoResources
    private let state: SiteState
    private let figures: [[String: Figure]]

    /// Whether the dataset has changed since the site was made.
    public var isOutdated: Bool { Self.written(dataset) != written }

    /// When what a site is made of was written, in nanoseconds.
    private static func written(_ dataset: DatasetDirectory) -> [Int] {
        [dataset.catalogueFile, dataset.selectionFile].map { path in
            var information = stat()
            guard stat(path, &information) == 0 else { return 0 }
            return information.st_mtim.tv_sec * 1_000_000_000 + information.st_mtim.tv_nsec
        }
    }

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
        written = Self.written(dataset)
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
        state = try SiteState(dataset, catalogue, work: work, hasVideos: !generated.isEmpty)
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

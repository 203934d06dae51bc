import Dataset
import Foundation
import Storage

/// One file that shows a dataset without a server and without a network: the page, and in it the resources
/// that matter most.
public struct Page {
    private let site: Site
    /// The most faces that are shown.
    private static let mostPictures = 240

    public init(_ site: Site) { self.site = site }

    /// Writes the page.
    ///
    /// - Parameter clips: the number of accepted clips that can be played, taken evenly from all.
    /// - Throws: `LoopyError` when a resource cannot be made, or `.output`.
    public func write(to path: String, clips: Int) throws {
        var held: [String: [UInt8]] = [:]
        func hold(_ name: String) throws {
            guard let resource = try site.resource(name) else { return }
            let bytes = try resource.bytes()
            guard resource.type == .json else {
                held[name] = bytes
                return
            }
            // A page is given to others, who need not know where files lie.
            let document = try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
            held[name] = document.withoutFolders.line
        }
        // What has been moved or removed is not shown.
        func holdWhatIsThere(_ name: String) { try? hold(name) }
        for name in ["state.json", "table", "runs.json", "videos.json", "figures.json"] {
            try hold(name)
        }
        try holdPictures(of: "runs.json", holdWhatIsThere) { (runs: [Runs]) in
            runs.flatMap { $0.samples.suffix(3).map(\.picture) }
        }
        try holdPictures(of: "videos.json", holdWhatIsThere) { (videos: [Videos]) in
            videos.indices.flatMap { index in
                ["mp4", "true.mp4", "jpg", "portrait.jpg"].map { "videos/\(index).\($0)" }
            }
        }
        let pictured = site.rows.indices.filter { !site.rows[$0].frames.isEmpty }
        for row in evenly(pictured, Self.mostPictures) { holdWhatIsThere("clips/\(row).jpg") }
        let cut = site.rows.indices.filter { site.rows[$0].crop != nil }
        let packed = try cut.filter { try site.resource("clips/\($0).cut.mp4") != nil }
        for row in evenly(packed.isEmpty ? cut : packed, clips) {
            for ending in ["jpg", "json", "tracks", "mp4", "flac"] {
                holdWhatIsThere("clips/\(row).\(ending)")
            }
        }
        try OutputFile.write(Site.page(holding: held), to: path)
    }

    private struct Runs: Decodable {
        struct Sample: Decodable { var picture: String }
        var samples: [Sample]
    }

    private struct Videos: Decodable {}

    /// Holds the resources that a document names.
    private func holdPictures<Document: Decodable>(
        of name: String, _ hold: (String) throws -> Void, _ names: (Document) -> [String]
    ) throws {
        guard let bytes = try site.resource(name)?.bytes() else { return }
        try names(JSONDecoder().decode(Document.self, from: Data(bytes))).forEach(hold)
    }

    /// Some of the rows, at equal distances.
    private func evenly(_ rows: [Int], _ most: Int) -> [Int] {
        let count = max(0, min(most, rows.count))
        return (0..<count).map { rows[$0 * rows.count / count] }
    }
}

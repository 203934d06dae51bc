import Curation
import Dataset
import Foundation
import Storage

/// `state.json`.
struct SiteState: Encodable, Sendable {
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

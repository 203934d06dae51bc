import Dataset
import Features
import Storage

extension Publication {
    /// The pipeline that makes the same dataset from the sources: it cuts the clips that are annotated, and
    /// extracts and packs the same columns with the same settings.
    var pipeline: String {
        var lines = [
            "# Makes this dataset again, from the sources that sources.jsonl names:",
            "#",
            "#   loopy run FOLDER/\(PublishedFolder.pipeline) --input VIDEOS --dataset DATASET "
                + "--set ingest.annotations=FOLDER",
            "#",
            "# The clips are those of \(PublishedFolder.metadata)/: nothing is measured or decided anew.",
            "# Networks that were named by a path, and commands, have to be named again.",
            "ingest: { format: loopy }",
        ]
        let video = settings("video").map { ["video": $0] } ?? [:]
        lines.append("crop: \(Self.text(.object(video)))")
        let needed = withInputs(columns.packed)
        let known = FeatureColumns.names.filter(needed.contains)
        if !known.isEmpty {
            lines.append("extract:")
            lines += known.map { "  \($0): \(Self.text(settings($0) ?? .object([:])))" }
        }
        lines.append(
            "pack: \(Self.text(.object(["columns": .array(columns.packed.map(JSONValue.string))])))"
        )
        return lines.joined(separator: "\n") + "\n"
    }

    /// Columns with those that they are computed from, which need not be in the shards.
    private func withInputs(_ names: [String]) -> Set<String> {
        var all = Set(names), new = names
        while !new.isEmpty {
            new = new.flatMap {
                catalogue.columns[$0]?.inputs.keys.filter { !all.contains($0) } ?? []
            }
            all.formUnion(new)
        }
        return all
    }

    /// The settings of a column, as others can use them.
    private func settings(_ column: String) -> JSONValue? {
        guard case .object(var members) = catalogue.columns[column]?.settings.withoutFolders else {
            return nil
        }
        // A codec that was fitted on these clips is fitted on them again.
        let weights = members["weights"]?.string ?? ""
        if weights.hasPrefix(LatentsSettings.fittedFolder) { members["weights"] = nil }
        return .object(members)
    }

    /// JSON is YAML.
    private static func text(_ value: JSONValue) -> String {
        String(decoding: value.line, as: UTF8.self)
    }
}

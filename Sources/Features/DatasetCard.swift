import Dataset
import Storage

/// A `README.md` from which Hugging Face's `load_dataset` learns which files are data, and of which types
/// they are. It stands beside the shards of a dataset, and at the head of a published one.
public struct DatasetCard {
    /// The licence, as the publisher names it.
    public var licence: String?
    /// Patterns of the files of each split.
    public var files: [(split: Decision.Split, pattern: String)]
    /// The fields; where there are none, `datasets` guesses them from the first clips.
    public var fields: [CardField]
    /// What people read.
    public var body: String

    public init(
        licence: String? = nil, files: [(split: Decision.Split, pattern: String)],
        fields: [CardField] = [], body: String
    ) {
        (self.licence, self.files, self.fields, self.body) = (licence, files, fields, body)
    }

    public var text: String {
        var lines = ["---"]
        if let licence { lines.append("license: \(CardField.quoted(licence))") }
        lines += ["configs:", "- config_name: default", "  data_files:"]
        for (split, pattern) in files {
            lines += ["  - split: \(split.huggingFaceName)", "    path: \(pattern)"]
        }
        if !fields.isEmpty {
            lines += ["dataset_info:", "- config_name: default", "  features:"]
            lines += fields.flatMap(\.yaml).map { "  " + $0 }
        }
        return (lines + ["---", body]).joined(separator: "\n")
    }

    /// The shards of each split that has clips.
    ///
    /// - Parameter prefix: the shards' folder with a slash, from that of the card.
    public static func files(
        _ catalogue: Catalogue, prefix: String = ""
    ) -> [(split: Decision.Split, pattern: String)] {
        Decision.Split.allCases.filter { split in
            catalogue.shards.contains { $0.split == split && $0.clips > 0 }
        }.map { ($0, "\(prefix)\($0.rawValue)-*.tar") }
    }
}

// MARK: Beside shards

extension DatasetCard {
    private static let signature = "Made by loopy-pack"

    /// Writes the card of shards, unless somebody has written one of their own.
    ///
    /// - Throws: `LoopyError` `.output`.
    static func write(_ catalogue: Catalogue, to folder: String) throws {
        let path = folder + "/README.md"
        let text = DatasetCard(files: files(catalogue), body: body(catalogue)).text
        if let present = try? String(contentsOfFile: path, encoding: .utf8),
            present == text || !present.contains(signature)
        {
            return
        }
        try OutputFile.write(text.utf8, to: path)
    }

    private static func body(_ catalogue: Catalogue) -> String {
        let counts = catalogue.counts
        return """
            # Talking-head clips

            \(signature): WebDataset shards of clips at 25 frames a second (clips: \(counts.clips), frames: \
            \(counts.frames)). `../dataset.json` says what made them.

            ```python
            datasets.load_dataset("FOLDER/shards", streaming=True)
            webdataset.WebDataset("FOLDER/shards/train-{00000..00007}.tar").decode()
            ```

            """
    }
}

extension Decision.Split {
    /// The name that `datasets` gives the split.
    public var huggingFaceName: String { self == .val ? "validation" : rawValue }
}

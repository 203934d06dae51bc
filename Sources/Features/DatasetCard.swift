import Dataset
import Storage

/// The `README.md` beside shards: what Hugging Face's `load_dataset("DATASET/shards")` reads to know
/// which files are data. The records beside the shards are none.
enum DatasetCard {
    private static let signature = "Made by loopy-pack"

    /// Writes the card, unless somebody has written one of their own.
    ///
    /// - Throws: `LoopyError` `.output`.
    static func write(_ catalogue: Catalogue, to folder: String) throws {
        let path = folder + "/README.md", text = text(catalogue)
        if let present = try? String(contentsOfFile: path, encoding: .utf8),
            present == text || !present.contains(signature)
        {
            return
        }
        try OutputFile.write(text.utf8, to: path)
    }

    private static func text(_ catalogue: Catalogue) -> String {
        let splits = Decision.Split.allCases.filter { split in
            catalogue.shards.contains { $0.split == split && $0.clips > 0 }
        }
        let files = splits.map { split in
            """
              - split: \(split.huggingFaceName)
                path: \(split.rawValue)-*.tar

            """
        }
        let counts = catalogue.counts
        return """
            ---
            configs:
            - config_name: default
              data_files:
            \(files.joined())---
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
    fileprivate var huggingFaceName: String { self == .val ? "validation" : rawValue }
}

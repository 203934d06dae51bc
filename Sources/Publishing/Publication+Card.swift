import Curation
import Dataset
import Features
import Foundation
import Media
import Storage

extension Publication {
    /// The dataset card: what `datasets` reads, then what people read.
    ///
    /// - Parameter shards: those that are published.
    func card(shards: [Catalogue.Shard], in folder: String) throws -> String {
        guard let first = shards.first, let clip = clips.first?.key else {
            let splits = Decision.Split.allCases.filter { split in
                clips.contains { $0.split == split }
            }
            return DatasetCard(
                licence: licence, files: splits.map { ($0, PublishedFolder.metadata($0)) },
                fields: CardField.metadata(of: clips), body: body
            ).text
        }
        let archive = try TarReader(folder + "/" + PublishedFolder.shard(first.name))
        return DatasetCard(
            licence: licence,
            files: DatasetCard.files(catalogue, prefix: PublishedFolder.shards + "/"),
            fields: try CardField.members(of: clip, in: archive, clips: clips), body: body
        ).text
    }

    private var body: String {
        [
            head, licenceText, contents, columnTable, funnel, rules, reading, making,
        ].joined(separator: "\n\n") + "\n"
    }

    // MARK: What it is

    private var head: String {
        let packed =
            columns.kept.isEmpty
            ? "There are no shards: `\(PublishedFolder.metadata)/` annotates the clips."
            : "`\(PublishedFolder.shards)/` holds them as WebDataset; "
                + "`\(PublishedFolder.metadata)/` says of each where it comes from and what was measured."
        let without =
            columns.leftOut.isEmpty
            ? ""
            : " Not published: \(columns.leftOut.joined(separator: ", ")). Whoever has the sources makes "
                + "them again (below)."
        return """
            # Talking-head clips

            \(counted(clips.count, "clip")) of talking heads, \(hours(frames(clips))) hours, at exactly \
            \(Grid.framesPerSecond) frames a second with \(Grid.sampleRate / 1000) kHz sound of \
            \(Grid.samplesPerFrame) samples a frame, curated by Loopy. \(packed)\(without)
            """
    }

    private var licenceText: String {
        let text =
            licence.map { "\($0). The sources may have licences of their own." }
            ?? "**The publisher has named no licence.** Ask before you use it, or publish with `--licence`."
        return "## Licence\n\n" + text
    }

    /// What each split holds.
    private var contents: String {
        let splits = Decision.Split.allCases.map { split in
            (split, clips.filter { $0.split == split })
        }.filter { !$1.isEmpty }
        let rows = splits.map { split, clips in
            let shards = Set(clips.map(\.shard)).count
            return [
                split.huggingFaceName, "\(Set(clips.map(\.source)).count)",
                "\(Set(clips.compactMap(\.identity)).count)", "\(clips.count)",
                "\(frames(clips))", hours(frames(clips)), columns.kept.isEmpty ? "0" : "\(shards)",
            ]
        }
        let sources = Self.inSeveral(splits.map { Set($1.map(\.source)) })
        let identities = Self.inSeveral(splits.map { Set($1.compactMap(\.identity)) })
        return "## Splits\n\n"
            + Self.table(
                ["split", "sources", "identities", "clips", "frames", "hours", "shards"], rows)
            + "\n\nIdentities are those that annotations name. In more than one split: "
            + "\(counted(sources, "source")), \(identities == 1 ? "1 identity" : "\(identities) identities")."
    }

    /// How many elements are in more than one of the sets.
    private static func inSeveral(_ sets: [Set<String>]) -> Int {
        sets.reduce(0) { $0 + $1.count } - sets.reduce(Set()) { $0.union($1) }.count
    }

    // MARK: What made it

    private var columnTable: String {
        let rows = columns.packed.map { name in
            let column = catalogue.columns[name]
            let networks = (column?.networks ?? [:]).sorted { $0.key < $1.key }
                .map { "\($0.key) `\($0.value.prefix(12))`" }
            return [
                name,
                columns.kept.contains(name)
                    ? "`KEY\(catalogue.suffixInShards(of: name))`" : "not published",
                "`\(column?.fingerprint.digest.prefix(16) ?? "")`",
                networks.isEmpty ? "none" : networks.joined(separator: ", "),
            ]
        }
        let measured = catalogue.measurements.map {
            "\n\nMeasurements: fingerprint `\($0.fingerprint.digest.prefix(16))`."
        }
        return """
            ## Columns

            A column's fingerprint is the SHA-256 of all that decides its bytes: code, settings, networks, \
            inputs. `\(PublishedFolder.catalogue)` has them in full, with every setting.


            """
                + Self.table(["column", "member", "fingerprint", "SHA-256 of networks"], rows)
                + (measured ?? "")
    }

    private var funnel: String {
        let counts = catalogue.counts
        let rejected = counts.rejected.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { ["rejected by `\($0.key)`", "\($0.value)"] }
        return "## Funnel\n\n"
            + Self.table(
                ["what", "number"],
                [["sources", "\(counts.sources)"], ["candidates", "\(counts.candidates)"]]
                    + rejected
                    + [
                        ["candidates accepted", "\(counts.accepted)"], ["clips", "\(clips.count)"],
                    ])
    }

    private var rules: String {
        guard let settings = catalogue.selection else {
            return
                "## Rules\n\nThe dataset does not say by which rules it was selected: an earlier version "
                + "of Loopy made it."
        }
        func text(_ value: JSONValue?) -> String {
            guard let value, value != .null else { return "" }
            return String(decoding: value.line, as: UTF8.self)
        }
        let rows = Metric.all.compactMap { metric -> [String]? in
            let limits = settings["rules"]?[metric.name]
            let (minimum, maximum) = (text(limits?["minimum"]), text(limits?["maximum"]))
            if minimum.isEmpty, maximum.isEmpty { return nil }
            return ["`\(metric.name)`", minimum, maximum, metric.unit, metric.meaning]
        }
        let notApplied = catalogue.rulesNotApplied
        return "## Rules\n\n"
            + Self.table(["rule", "minimum", "maximum", "unit", "of"], rows)
            + "\n\nClips: `\(text(settings["clips"]))`. Split: `\(text(settings["split"]))`.\n\n"
            + (notApplied.isEmpty
                ? "Every rule was applied."
                : "**Not applied**, because nothing measured it: \(notApplied.joined(separator: ", ")).")
            + " `not_applied` says so of single clips."
    }

    // MARK: How it is used

    private var reading: String {
        let split = clips.first?.split ?? .train
        let name = split.huggingFaceName
        let shards = """
            import datasets, glob, webdataset

            clips = datasets.load_dataset("FOLDER", streaming=True)["\(name)"]
            clips = webdataset.WebDataset(sorted(glob.glob("FOLDER/shards/\(split.rawValue)-*.tar"))).decode()

            """
        return """
            ## Reading it

            ```python
            \(columns.kept.isEmpty ? "import datasets\n\n" : shards)\
            metadata = datasets.load_dataset("json", data_files="FOLDER/\(PublishedFolder.metadata(split))")["train"]
            ```

            Media are bytes, for the decoder of your choice: `clips.cast_column("flac", datasets.Audio())`. \
            `loopy verify FOLDER` checks every digest.
            """
    }

    private var making: String {
        """
        ## Making it again

        `\(PublishedFolder.sources)` names the sources by SHA-256, size and file name. With them below VIDEOS:

        ```
        loopy run FOLDER/\(PublishedFolder.pipeline) --input VIDEOS --dataset DATASET --set ingest.annotations=FOLDER
        ```

        The clips have the same keys, spans, crops and splits. A column has the same bytes where its \
        fingerprint in `DATASET/dataset.json` is the same.
        """
    }

    // MARK: Words

    private func frames(_ clips: [Decision]) -> Int { clips.reduce(0) { $0 + $1.frames.count } }

    private func hours(_ frames: Int) -> String {
        String(format: "%.3g", Double(frames) / Double(Grid.framesPerSecond) / 3600)
    }

    private static func table(_ head: [String], _ rows: [[String]]) -> String {
        let lines = [head, head.map { _ in "---" }] + rows
        return lines.map { cells in
            let escaped = cells.map { $0.replacingOccurrences(of: "|", with: "\\|") }
            return "| " + escaped.joined(separator: " | ") + " |"
        }.joined(separator: "\n")
    }
}

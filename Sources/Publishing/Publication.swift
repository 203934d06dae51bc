import Curation
import Dataset
import Errors
import Features
import Foundation
import Storage

/// `loopy publish`: a packed dataset in the layout that Hugging Face's hub expects, as a folder that
/// `hf upload-large-folder` takes.
///
/// Shards are linked where nothing is left out of them. What is written names files by their names and
/// sources by their digests, and never a folder of this machine. The same dataset gives the same bytes.
public struct Publication {
    public struct Report: Sendable {
        public var files = 0
        public var bytes = 0
        public var linked = 0
        public var clips = 0
        /// Columns that are not published.
        public var leftOut: [String] = []
        /// Whether the card has been changed by hand, and stays.
        public var keepsCard = false
    }

    let dataset: DatasetDirectory
    let catalogue: Catalogue
    let licence: String?
    let columns: LeftOutColumns
    /// The clips in shards, in the order of the catalogue's shards and of the clips in them.
    let clips: [Decision]
    /// The sources of these clips, in the order of the dataset.
    let sources: [Source]
    private let shards: [Catalogue.Shard]

    /// - Parameters:
    ///   - licence: as the hub names it, such as "cc-by-4.0".
    ///   - without: the columns to leave out.
    /// - Throws: `LoopyError` where the dataset is not packed; `.configuration` for unknown columns.
    public init(_ dataset: DatasetDirectory, licence: String?, without: [String]) throws {
        self.dataset = dataset
        self.licence = licence
        let catalogue = try Catalogue.read(dataset)
        self.catalogue = catalogue
        shards = catalogue.shards.filter { $0.clips > 0 }
        guard let first = shards.first else {
            throw LoopyError(
                .missing, "holds no shards with clips: run loopy-pack first", path: dataset.path)
        }
        clips = try Self.clips(in: shards, of: dataset)
        let digests = Set(clips.map(\.source))
        sources = try dataset.sources().filter { digests.contains($0.digest) && $0.probe != nil }
        let archive = try TarReader(dataset.shardsFolder + "/" + first.name)
        columns = try LeftOutColumns(
            without, packed: Self.columns(in: archive, catalogue), catalogue: catalogue)
    }

    /// - Parameter onShard: called when a shard is published, with how many of how many it is.
    /// - Throws: `LoopyError` `.output` where the folder holds files of others under the same names, or
    ///   cannot be written.
    public func write(
        to folder: String, onShard: (_ number: Int, _ total: Int) -> Void = { _, _ in }
    ) throws -> Report {
        let splits = Decision.Split.allCases.filter { split in shards.contains { $0.split == split }
        }
        let packed = columns.kept.isEmpty ? [] : shards
        let codec = fittedCodec
        var writer = try PublicationWriter(
            folder,
            names: [
                PublishedFolder.card, PublishedFolder.catalogue, PublishedFolder.sources,
                PublishedFolder.pipeline,
            ] + splits.map { PublishedFolder.metadata($0) } + (codec.map { [$0.name] } ?? [])
                + packed.map { PublishedFolder.shard($0.name) })
        var listed: [Catalogue.Shard] = []
        for (number, shard) in packed.enumerated() {
            listed.append(try publish(shard, &writer))
            onShard(number + 1, packed.count)
        }
        if let codec {
            try writer.link(codec.name, to: codec.path, bytes: codec.bytes, sha256: codec.sha256)
        }
        for split in splits {
            try writer.write(PublishedFolder.metadata(split)) { file in
                for clip in clips where clip.split == split {
                    try file.write(JSONLines.line(shown(clip.published)))
                }
            }
        }
        try writer.write(PublishedFolder.sources) { file in
            for source in sources { try file.write(JSONLines.line(shown(source.published))) }
        }
        var published = catalogue
        published.shards = listed
        try writer.write(PublishedFolder.catalogue) {
            try $0.write(JSONLines.document(shown(published)))
        }
        try writer.write(PublishedFolder.pipeline) { try $0.write(pipeline.utf8) }
        try writer.writeCard(card(shards: listed, in: folder))
        let files = try writer.finish()
        return Report(
            files: files.count, bytes: files.reduce(0) { $0 + ($1.bytes ?? 0) },
            linked: writer.linked, clips: clips.count, leftOut: columns.leftOut,
            keepsCard: writer.keepsCard)
    }

    private func shown(_ value: some Encodable) throws -> JSONValue {
        try JSONValue(encoding: value).withoutFolders
    }

    // MARK: Shards

    /// - Returns: what the catalogue says of the shard that is published.
    private func publish(
        _ shard: Catalogue.Shard, _ writer: inout PublicationWriter
    ) throws -> Catalogue.Shard {
        let name = PublishedFolder.shard(shard.name)
        let original = dataset.shardsFolder + "/" + shard.name
        guard !columns.leftOut.isEmpty else {
            try writer.link(name, to: original, bytes: shard.bytes, sha256: shard.sha256)
            return shard
        }
        // What is not known to be a kept column's stays out.
        let suffixes = Set(columns.kept.map { catalogue.suffixInShards(of: $0) } + [".json"])
        var published = shard
        (published.bytes, published.sha256) = try writer.write(name) { file in
            let reader = try TarReader(original), archive = TarWriter(file)
            for member in reader.members {
                let suffix = member.name.firstIndex(of: ".").map { member.name[$0...] } ?? ""
                guard suffixes.contains(String(suffix)) else { continue }
                try reader.copy(member.name, to: archive, as: member.name)
            }
            try archive.finish()
        }
        return published
    }

    /// The columns that shards hold, in the order of a clip's members.
    private static func columns(in archive: TarReader, _ catalogue: Catalogue) -> [String] {
        let names = Dictionary(
            catalogue.columns.keys.map { (catalogue.suffixInShards(of: $0), $0) },
            uniquingKeysWith: { $1 })
        let first = archive.members.first?.name.prefix { $0 != "." } ?? ""
        return archive.members.filter { $0.name.hasPrefix(first + ".") }.compactMap { member in
            names[String(member.name.dropFirst(first.count))]
        }
    }

    /// The clips of shards, as the selection describes them.
    private static func clips(
        in shards: [Catalogue.Shard], of dataset: DatasetDirectory
    ) throws -> [Decision] {
        let accepted = Dictionary(
            try dataset.selection().compactMap { clip in clip.key.map { ($0, clip) } },
            uniquingKeysWith: { first, _ in first })
        return try shards.flatMap { shard in
            let stem = (shard.name as NSString).deletingPathExtension
            let record = try JSONLines.readDocument(
                UnitRecord.self, from: "\(dataset.shardsFolder)/\(stem).json")
            return try record.items.map { key in
                guard let clip = accepted[key], clip.shard == stem else {
                    throw LoopyError(
                        .mismatch,
                        "\(shard.name) holds clip \(key), which is not in selection.jsonl: run loopy-pack "
                            + "again", path: dataset.shardsFolder)
                }
                return clip
            }
        }
    }

    /// A codec of latents that was fitted on this dataset: without it, nobody makes pictures of them.
    private var fittedCodec: (name: String, path: String, bytes: Int, sha256: String)? {
        guard columns.kept.contains("latents"),
            let name = catalogue.columns["latents"]?.settings["weights"]?.string,
            name.hasPrefix(LatentsSettings.fittedFolder)
        else { return nil }
        let path = dataset.path + "/" + name
        guard let sha256 = try? Digest.ofFile(path),
            let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
        else { return nil }
        return (name, path, size, sha256)
    }
}

/// Where everything lies in a published dataset: what `loopy publish` writes, and what
/// `loopy ingest --format loopy` and `loopy verify` read. Names are relative to the folder.
public enum PublishedFolder {
    /// The dataset card.
    public static let card = "README.md"
    /// The catalogue of what is published.
    public static let catalogue = "dataset.json"
    /// The sources that clips were cut out of, a `Source` a line, whose `path` is the file's name alone.
    public static let sources = "sources.jsonl"
    /// The pipeline that makes the same dataset from the sources.
    public static let pipeline = "pipeline.yaml"
    /// The list of what was published: a `PublishedFile` a line.
    public static let list = "files.jsonl"
    public static let shards = "shards"
    public static let metadata = "metadata"

    /// The clips of a split, a `Decision` a line, in the order of the shards. Its `path` is a file's name.
    public static func metadata(_ split: Decision.Split) -> String {
        "\(metadata)/\(split.rawValue).jsonl"
    }

    public static func shard(_ name: String) -> String { "\(shards)/\(name)" }
}

/// A file that `loopy publish` wrote: a line of `files.jsonl`.
public struct PublishedFile: Codable, Sendable, Equatable {
    /// The name, from the published folder.
    public var name: String
    /// The size and the SHA-256; nil while the file is being written.
    public var bytes: Int?
    public var sha256: String?

    public init(name: String, bytes: Int? = nil, sha256: String? = nil) {
        (self.name, self.bytes, self.sha256) = (name, bytes, sha256)
    }
}

extension RecordedPath {
    /// The file's name, without the folders above it: what may be shown to everybody.
    public var fileName: String {
        // What follows a question mark in an address may be a secret.
        let path = isRemote ? text.prefix { $0 != "?" } : text[...]
        return path.split(separator: "/").last.map(String.init) ?? String(path)
    }
}

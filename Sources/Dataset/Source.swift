import Media

/// One raw video file: a line of `sources.jsonl`.
public struct Source: Codable, Sendable, Equatable {
    /// The SHA-256 of the file's bytes, by which the source is known.
    public var digest: String
    /// The absolute path of the file, as `RecordedPath` writes it, or its address in an object store.
    public var path: String
    public var bytes: Int
    /// The modification time in nanoseconds: a file unchanged since the last ingest is not read again.
    public var modified: Int
    /// Who is seen, where the manifest says so: splits never part an identity.
    public var identity: String?
    /// The parts that annotations name; nothing else of the source is measured. Nil where there are
    /// no annotations.
    public var spans: [AnnotatedSpan]?
    /// What the container says; nil when the file cannot be used.
    public var probe: MediaProbe?
    /// The limits within which the file was probed; nil for the defaults.
    public var limits: MediaLimits?
    /// Why the file cannot be used: a `LoopyError` category, and the message.
    public var reason: String?
    public var error: String?

    public init(digest: String, path: String, bytes: Int, modified: Int) {
        self.digest = digest
        self.path = path
        self.bytes = bytes
        self.modified = modified
    }
}

import Media

/// One raw video file: a line of `sources.jsonl`.
public struct Source: Codable, Sendable, Equatable {
    /// SHA-256 of the file's bytes: what the source is known by.
    public var digest: String
    /// Absolute path of the file.
    public var path: String
    public var bytes: Int
    /// Modification time in nanoseconds: a file unchanged since the last ingest is not read again.
    public var modified: Int
    /// Who is seen, where the manifest says so: splits never part an identity.
    public var identity: String?
    /// What annotations name in it; nothing else of it is measured. Nil where there are none.
    public var spans: [AnnotatedSpan]?
    /// What the container says; nil when the file cannot be used.
    public var probe: MediaProbe?
    /// Why the file cannot be used: a `LoopyError` code, and the message.
    public var reason: String?
    public var error: String?

    public init(digest: String, path: String, bytes: Int, modified: Int) {
        self.digest = digest
        self.path = path
        self.bytes = bytes
        self.modified = modified
    }
}

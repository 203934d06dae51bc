import Media

/// Settings of `loopy-ingest`.
public struct IngestSettings: Codable, Sendable {
    /// Files in folders are sources when their names end so; files named one by one always are.
    public var extensions = [
        "mp4", "m4v", "mov", "mkv", "webm", "avi", "ts", "mts", "m2ts", "mpg", "mpeg", "vob", "flv",
        "wmv", "asf", "3gp", "3g2", "ogv", "mxf", "mj2",
    ]
    public var limits = MediaLimits()

    public init() {}
}

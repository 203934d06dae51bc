/// Something that could not be done; the run went on without it.
public struct Failure: Codable, Sendable, Equatable {
    /// The stage's name, or the column's.
    public var stage: String
    /// Path of the source, where one is concerned.
    public var path: String?
    /// Key of the clip, where one is concerned.
    public var key: String?
    /// A short name for the kind of failure, such as "undecodable".
    public var reason: String
    /// What happened, in words, and what to do.
    public var error: String

    public init(
        stage: String, path: String? = nil, key: String? = nil, reason: String, error: String
    ) {
        self.stage = stage
        self.path = path
        self.key = key
        self.reason = reason
        self.error = error
    }
}

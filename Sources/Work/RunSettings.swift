/// The section `run` of a pipeline file.
public struct RunSettings: Codable, Sendable {
    /// Worker processes at a time.
    public var workers = 1
    /// Decoding threads of a worker; 0 for one a processor.
    public var threads = 0
    /// Seconds that a worker may spend on one item (a stretch of a source, a clip) before it is
    /// taken to hang.
    public var timeLimit = 600.0
    /// Training files, relative to the pipeline file, in the order in which they run when the shards are
    /// there; each run begins with the weights of the one before it.
    public var train: [String] = []

    public init() {}
}

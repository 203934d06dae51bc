import Settings
import Storage

/// The section `run` of a pipeline file.
public struct RunSettings: DescribedSettings {
    public var workers = 0
    public var threads = 0
    public var timeLimit = 600.0
    public var lapse = 120.0
    public var fetch = ""
    public var scratch = ""
    public var scratchGigabytes = 50.0
    public var train: [String] = []
    public var heldOutSeconds = 0.0

    public init() {}

    /// The memory, in bytes, for which there is one worker where their number is not set.
    private static let memoryOfWorker = 4 << 30

    /// How many workers a stage has, and how many threads each. Together they have no more threads than there are
    /// processors, where nothing else is set.
    ///
    /// - Parameters:
    ///   - units: how many there are to be built.
    ///   - device: what the stage computes on; but for the processor, workers would not share its memory.
    package func shares(units: Int, device: String) -> (workers: Int, threads: Int) {
        let fitting = min(Processors.available, Processors.memory / Self.memoryOfWorker)
        let most = workers > 0 ? workers : device == "cpu" ? fitting : 1
        let workers = max(1, min(most, units))
        return (workers, threads > 0 ? threads : max(1, Processors.available / workers))
    }

    public static var settings: [Setting<RunSettings>] {
        [
            .number(
                "workers", \.workers, in: 0...1024, unit: "processes",
                "Worker processes that run at a time; 0 for one a processor and 4 GB of memory, and one "
                    + "where a stage computes on a GPU. With 0 as many train as share a batch equally, else "
                    + "one."),
            .number(
                "threads", \.threads, in: 0...1024, unit: "threads",
                "Threads of a worker; 0 for its share of the processors."),
            .number(
                "time_limit", \.timeLimit, in: 0...1e7, unit: "s",
                "Time that a worker may spend on one item (a stretch of a source, a clip) before it "
                    + "is taken to hang and ended; 0 for no limit."),
            .number(
                "lapse", \.lapse, in: 0.5...1e6, unit: "s",
                "Time after which a worker that gives no sign of life is taken to be lost, and what it "
                    + "was doing is given to another."),
            .text(
                "fetch", \.fetch, "a command, or nothing for fsspec", mayBeEmpty: true,
                "The command that copies a source out of an object store; its last arguments are the "
                    + "source's address and the path of the copy."),
            .text(
                "scratch", \.scratch,
                "a folder, or nothing for one in the system's temporary folder",
                mayBeEmpty: true,
                "Where copies of sources and datasets in object stores lie."),
            .number(
                "scratch_gigabytes", \.scratchGigabytes, in: 0...1e6, unit: "GB",
                "What copies of sources may take there, and a dataset's archives as much again; those "
                    + "that were used longest ago go first."),
            .list(
                "train", \.train,
                "Training files, relative to the pipeline file, in the order in which they run when "
                    + "the shards are there; each run begins with the weights of the one before it."
            ),
            .number(
                "held_out_seconds", \.heldOutSeconds, in: 0...1e6, unit: "s",
                "The time of held-out clips that the last training run's model makes again at the end, "
                    + "to be compared with the true ones; 0 for none."),
        ]
    }
}

import CTorch

/// What concerns libtorch as a whole.
public enum LibTorch {
    /// The version as libtorch says it: "2.13.0".
    public static let version = String(cString: loopy_torch_version())

    /// Sets what holds for the whole process. An executable calls this before anything is computed;
    /// no library does.
    ///
    /// Sums then come out the same to the last bit however many threads there are.
    ///
    /// - Parameter threads: how many threads one operator may use, when it is called from this thread or
    ///   from one that has not called any yet.
    public static func configure(threads: Int) {
        require(threads >= 1, "libtorch has at least one thread, not \(threads)")
        loopy_torch_configure(Int32(threads))
    }

    /// How many threads one operator may use.
    public static var threads: Int { Int(loopy_torch_threads()) }

    /// Runs a body whose operators use a number of threads of their own. Synchronous: the number is the
    /// thread's.
    public static func withThreads<Result>(
        _ count: Int, _ body: () throws -> Result
    ) rethrows -> Result {
        let former = loopy_torch_threads()
        loopy_torch_set_threads(Int32(count))
        defer { loopy_torch_set_threads(former) }
        return try body()
    }
}

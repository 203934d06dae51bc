import CTorch
import Errors
import Foundation

/// Processes that compute together, each on its own data: libtorch's c10d over Gloo. Belongs to one thread.
///
/// All ranks call the same operations in the same order, and each waits until it is done. When a rank
/// ends, its connections close, and the operations of the others throw. Tensors on a GPU travel through
/// memory. In a group of one nothing is sent, and nothing fails.
public final class ProcessGroup {
    public let rank: Int
    public let size: Int
    /// The number of ranks that share this machine.
    public let localSize: Int
    /// Nil in a group of one.
    private let connection: Connection?

    private struct Connection {
        let store: TCPStore
        let handle: LoopyProcessGroup
        /// What keys in the store begin with.
        let prefix: String
    }

    /// How long ranks may take to join: machines do not start at once.
    public static let joinTimeout = 300
    /// How long an operation may take: the others wait while rank 0 draws samples and writes a checkpoint.
    public static let timeout = 1800
    /// How long to wait for word of the other ranks when an operation has failed.
    private static let searchSeconds = 8.0

    public var isFirst: Bool { rank == 0 }

    /// A group of one.
    public init() {
        (rank, size, localSize) = (0, 1, 1)
        connection = nil
    }

    /// Joins the group, and returns when all ranks have.
    ///
    /// - Throws: `LoopyError` `.processing` that names the ranks that did not come in time.
    public init(
        _ launch: LaunchEnvironment, joinTimeout: Int = joinTimeout, timeout: Int = timeout
    ) throws(LoopyError) {
        (rank, size, localSize) = (launch.rank, launch.size, launch.localSize)
        guard size > 1 else {
            connection = nil
            return
        }
        let store = try TCPStore(
            host: launch.host, port: launch.port,
            isServer: launch.rank == 0 && !launch.launcherServesStore, timeout: joinTimeout)
        let prefix = "loopy/\(launch.attempt)/"
        let others = Set(0..<launch.size).subtracting([launch.rank])
        let missing = try Self.missing(
            others, in: store, marking: prefix + "joined/", rank: launch.rank,
            seconds: Double(joinTimeout))
        guard missing.isEmpty else {
            throw LoopyError(
                .processing,
                "\(Self.names(missing)) did not join within \(joinTimeout) seconds; are all processes "
                    + "running, and WORLD_SIZE \(launch.size)?")
        }
        var made: LoopyProcessGroup?
        try throwing(
            .processing, "connecting the ranks over Gloo (GLOO_SOCKET_IFNAME names the network)",
            loopy_torch_process_group(
                store.handle, prefix + "gloo/", Int32(launch.rank), Int32(launch.size),
                launch.networkInterface, launch.localSize == launch.size, Int32(timeout), &made))
        connection = Connection(store: store, handle: made!, prefix: prefix)  // no message
    }

    deinit {
        if let connection { loopy_torch_release_process_group(connection.handle) }
    }

    // MARK: Operations

    /// Sums a tensor over the ranks, in place: all have the same bits then.
    ///
    /// - Precondition: contiguous, of one shape and type on all ranks.
    public func allReduce(_ tensor: Tensor) throws(LoopyError) {
        try inMemory(tensor) { handle, tensor in loopy_torch_all_reduce(handle, tensor) }
    }

    /// Overwrites tensors with those of a rank.
    ///
    /// - Precondition: contiguous, of the same shapes and types on all ranks.
    public func broadcast(_ tensors: [Tensor], from root: Int = 0) throws(LoopyError) {
        for tensor in tensors {
            try inMemory(tensor) { handle, tensor in
                loopy_torch_broadcast(handle, tensor, Int32(root))
            }
        }
    }

    /// Sums `[size * n]` over the ranks, and gives each rank the `[n]` of its number.
    public func reduceScatter(_ all: Tensor) throws(LoopyError) -> Tensor {
        guard let connection else { return all }
        let count = all.count / size
        require(count * size == all.count, "\(all) has no \(size) equal parts")
        let whole = all.to(.cpu).contiguous()
        let part = Tensor.empty([count], type: all.type)
        try finish(
            whole.lend { whole in
                part.lend { loopy_torch_reduce_scatter(connection.handle, whole, $0) }
            })
        return part.to(all.device)
    }

    /// Joins the `[n]` of all ranks to `[size * n]`, in the order of ranks.
    public func allGather(_ part: Tensor) throws(LoopyError) -> Tensor {
        guard let connection else { return part }
        let own = part.to(.cpu).contiguous()
        let all = Tensor.empty([size * part.count], type: part.type)
        try finish(
            own.lend { own in
                all.lend { loopy_torch_all_gather(connection.handle, own, $0) }
            })
        return all.to(part.device)
    }

    /// Sums numbers over the ranks.
    public func sum(_ numbers: [Double]) throws(LoopyError) -> [Double] {
        guard size > 1, !numbers.isEmpty else { return numbers }
        let tensor = Tensor(numbers)
        try allReduce(tensor)
        return tensor.array()
    }

    /// Whether something holds on any rank.
    public func any(_ holds: Bool) throws(LoopyError) -> Bool { try sum([holds ? 1 : 0])[0] > 0 }

    /// Runs a body on all ranks, and returns when all are through it: then a file that it has written is
    /// there for all.
    ///
    /// - Throws: what the body threw here; `RankFailure` where it threw on other ranks only.
    public func together<Result>(_ body: () throws -> Result) throws -> Result {
        guard size > 1 else { return try body() }
        let outcome = Swift.Result(catching: body)
        var statuses = [Double](repeating: 0, count: size)
        if case .failure(let error) = outcome {
            statuses[rank] = Double(((error as? LoopyError)?.category ?? .malformed).exitStatus)
        }
        let sums = Swift.Result { try sum(statuses) }
        guard case .success(let result) = outcome else {
            // Where all fail alike, one says it.
            if case .success(let sums) = sums { try RankFailure.throwFirst(sums, before: rank) }
            return try outcome.get()
        }
        try RankFailure.throwFirst(sums.get(), before: size)
        return result
    }

    /// Calls an operation on a tensor in memory, which goes back to its device.
    private func inMemory(
        _ tensor: Tensor, _ operation: (LoopyProcessGroup, LoopyTensor) -> LoopyMessage?
    ) throws(LoopyError) {
        guard let connection else { return }
        require(tensor.isContiguous, "\(tensor) has gaps and cannot be sent")
        let sent = tensor.to(.cpu)
        try finish(sent.lend { operation(connection.handle, $0) })
        if tensor.device != .cpu { withoutGradient { tensor.assign(sent) } }
    }

    // MARK: Ranks that are not there any more

    private func finish(_ message: LoopyMessage?) throws(LoopyError) {
        guard let message, let connection else { return }
        let reason = Self.short(takeMessage(message))
        let others = Set(0..<size).subtracting([rank])
        let missing = try? Self.missing(
            others, in: connection.store, marking: connection.prefix + "failed/", rank: rank,
            seconds: Self.searchSeconds)
        // Without a store there is no rank 0, which served it, or no launcher.
        let names =
            missing.map { $0.isEmpty ? "another rank" : Self.names($0) } ?? Self.names([0])
        throw LoopyError(
            .processing,
            "\(names) cannot be reached any more (\(reason)): see what was said there, and go on from "
                + "the last checkpoint with --resume")
    }

    /// Marks a rank in the store, and waits for the marks of others.
    ///
    /// - Returns: the ranks that have set none.
    private static func missing(
        _ others: Set<Int>, in store: TCPStore, marking key: String, rank: Int, seconds: Double
    ) throws(LoopyError) -> [Int] {
        try store.set(key + "\(rank)")
        var missing = others.sorted()
        let end = Date().addingTimeInterval(seconds)
        while true {
            var left: [Int] = []
            for rank in missing where try !store.has(key + "\(rank)") { left.append(rank) }
            missing = left
            guard !missing.isEmpty, Date() < end else { return missing }
            Thread.sleep(forTimeInterval: 0.05)
        }
    }

    /// Gloo's message without the file that it comes from and without advice.
    private static func short(_ message: String) -> String {
        var text = message.prefix { $0 != "\n" }
        if text.first == "[", let end = text.firstIndex(of: "]") {
            text = text[text.index(after: end)...].drop { $0 == " " }
        }
        let parts = text.split(separator: ". ", maxSplits: 1)
        return String(parts.first ?? text)
    }

    private static func names(_ ranks: [Int]) -> String {
        let shown = ranks.prefix(8).map(String.init).joined(separator: ", ")
        let more = ranks.count > 8 ? " and \(ranks.count - 8) more" : ""
        return (ranks.count == 1 ? "rank " : "ranks ") + shown + more
    }
}

/// Another rank has failed, and says why itself.
public struct RankFailure: Error, CustomStringConvertible {
    public let rank: Int
    /// The status that it exits with.
    public let exitStatus: Int32

    public var description: String { "rank \(rank) failed, and says why" }

    /// - Parameters:
    ///   - statuses: the ranks' exit statuses.
    ///   - limit: the first rank that does not count.
    fileprivate static func throwFirst(
        _ statuses: [Double], before limit: Int
    ) throws(RankFailure) {
        guard let rank = statuses.prefix(limit).firstIndex(where: { $0 > 0 }) else { return }
        throw RankFailure(rank: rank, exitStatus: Int32(statuses[rank]))
    }
}

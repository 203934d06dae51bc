import Media

/// Reads the windows of a `WindowStream` ahead, and knows where the stream stood at the window that was
/// handed out last: a checkpoint must not count what only waits. Belongs to one thread.
public final class WindowPrefetcher {
    private let windows: Prefetcher<(window: ClipWindow, state: WindowStream.State)>
    /// Where the stream stood after the window that was handed out last, and where it began before the
    /// first. What was read ahead is not in it.
    public private(set) var state: WindowStream.State

    /// - Parameters:
    ///   - depth: the number of windows that may wait to be taken.
    ///   - share: the windows of each batch that are wanted; all when left out.
    public init(_ stream: sending WindowStream, depth: Int = 4, share: WindowShare = .all) {
        state = stream.state
        var index = 0
        windows = Prefetcher(depth: depth) {
            if index == 0 { for _ in 0..<share.range.lowerBound { try stream.skip() } }
            let window = try stream.next()
            index += 1
            if index == share.range.count {
                // A checkpoint stands where the whole batch is over.
                for _ in share.range.upperBound..<share.batch { try stream.skip() }
                index = 0
            }
            return (window, stream.state)
        }
    }

    /// Takes the next window. Throws what the stream threw, again and again; `CancellationError` when
    /// there is no window left and reading was cancelled.
    public func next() throws -> ClipWindow {
        guard let next = try windows.next() else { throw CancellationError() }
        state = next.state
        return next.window
    }

    /// The seconds that `next` has waited for windows, altogether.
    public var secondsWaited: Double { windows.secondsWaited }

    /// Stops reading, and returns when the thread has let go of the shards.
    public func cancel() { windows.cancel() }
}

/// The windows of each batch that one rank trains on.
public struct WindowShare: Sendable {
    /// The number of windows in a batch.
    public let batch: Int
    /// Those that are wanted.
    public let range: Range<Int>

    /// Every window.
    public static let all = WindowShare(batch: 1, rank: 0, of: 1)

    /// - Precondition: `size` ranks divide the batch.
    public init(batch: Int, rank: Int, of size: Int) {
        precondition(batch % size == 0, "\(size) ranks do not divide a batch of \(batch)")
        self.batch = batch
        let count = batch / size
        range = (rank * count)..<((rank + 1) * count)
    }
}

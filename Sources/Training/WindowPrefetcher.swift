import Media

/// Reads the windows of a `WindowStream` ahead, and knows where the stream stood at the window that was
/// handed out last: a checkpoint must not count what only waits. Belongs to one thread.
public final class WindowPrefetcher {
    private let windows: Prefetcher<(window: ClipWindow, state: WindowStream.State)>
    /// Where the stream stood after the window that was handed out last, and where it began before the
    /// first. What was read ahead is not in it.
    public private(set) var state: WindowStream.State

    /// - Parameter depth: the number of windows that may wait to be taken.
    public init(_ stream: sending WindowStream, depth: Int = 4) {
        state = stream.state
        windows = Prefetcher(depth: depth) { (try stream.next(), stream.state) }
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

import Foundation

/// Runs a `WindowStream` on a thread of its own, a bounded number of windows ahead.
public final class WindowPrefetcher: Sendable {
    private let queue: WindowQueue

    /// - Parameter depth: windows that may wait to be taken.
    public init(_ stream: sending WindowStream, depth: Int = 4) {
        let queue = WindowQueue(stream, depth: depth)
        self.queue = queue
        // The thread holds the queue and not the prefetcher, so that dropping the prefetcher ends it.
        let thread = Thread { queue.fill() }
        thread.stackSize = 8 << 20
        thread.start()
    }

    deinit { queue.cancel() }

    /// The next window. Throws what the stream threw, again and again; `CancellationError` when there
    /// is no window left and reading was cancelled.
    public func next() throws -> ClipWindow { try queue.next() }

    /// Where the stream stood when it gave the window that was handed out last; where it began, before
    /// the first. What was read ahead is not in it.
    public var state: WindowStream.State { queue.state }

    /// How long `next` has waited for windows, altogether.
    public var secondsWaited: Double { queue.secondsWaited }

    /// Stops reading; returns when the thread has let go of the shards.
    public func cancel() {
        queue.cancel()
        queue.waitForEnd()
    }
}

private final class WindowQueue: @unchecked Sendable {
    // Unchecked: the stream belongs to the thread that fills until that sets `ended`, and windows to
    // nobody else once they are handed out; every variable below is read and written under `condition`.
    private var stream: WindowStream?
    private let depth: Int
    private let condition = NSCondition()
    private var waiting: [(window: ClipWindow, state: WindowStream.State)] = []
    private var lastState: WindowStream.State
    private var waited = Duration.zero
    private var ended = false
    private var failure: (any Error)?
    private var cancelled = false

    init(_ stream: sending WindowStream, depth: Int) {
        lastState = stream.state
        self.stream = stream
        self.depth = max(1, depth)
    }

    var state: WindowStream.State { condition.withLock { lastState } }

    var secondsWaited: Double { condition.withLock { waited / .seconds(1) } }

    func next() throws -> ClipWindow {
        condition.lock()
        defer { condition.unlock() }
        if waiting.isEmpty && !ended {
            let started = ContinuousClock.now
            while waiting.isEmpty && !ended { condition.wait() }
            waited += ContinuousClock.now - started
        }
        guard !waiting.isEmpty else { throw failure ?? CancellationError() }
        let (window, state) = waiting.removeFirst()
        lastState = state
        condition.broadcast()
        return window
    }

    func cancel() {
        condition.lock()
        cancelled = true
        waiting.removeAll()
        condition.broadcast()
        condition.unlock()
    }

    func waitForEnd() {
        condition.lock()
        while !ended { condition.wait() }
        condition.unlock()
    }

    func fill() {
        var thrown: (any Error)?
        do {
            while let stream, waitForRoom() {
                let window = try stream.next()
                add(window, stream.state)
            }
        } catch {
            thrown = error
        }
        stream = nil
        condition.lock()
        failure = thrown
        ended = true
        condition.broadcast()
        condition.unlock()
    }

    /// False when nobody wants windows any more. What is read next has a place then: no more than
    /// `depth` windows are ever in memory.
    private func waitForRoom() -> Bool {
        condition.lock()
        defer { condition.unlock() }
        while waiting.count >= depth && !cancelled { condition.wait() }
        return !cancelled
    }

    private func add(_ window: ClipWindow, _ state: WindowStream.State) {
        condition.lock()
        defer { condition.unlock() }
        guard !cancelled else { return }
        waiting.append((window, state))
        condition.broadcast()
    }
}

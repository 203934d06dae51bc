import Foundation

/// Reads values on a thread of its own, a bounded number ahead.
///
/// The queue is what keeps memory flat: however much there is to read, at most `depth` values wait.
public final class Prefetcher<Value>: Sendable {
    private let queue: PrefetchQueue<Value>

    /// - Parameters:
    ///   - depth: values that may wait to be taken.
    ///   - read: gives the next value, nil at the end. Called on that thread alone, which lets go of it
    ///     and of what it holds when it ends.
    public init(depth: Int, _ read: sending @escaping () throws -> Value?) {
        let queue = PrefetchQueue(depth: depth, read)
        self.queue = queue
        // The thread holds the queue and not the prefetcher, so that dropping the prefetcher ends it.
        let thread = Thread { queue.fill() }
        thread.stackSize = 8 << 20
        thread.start()
    }

    deinit { queue.cancel() }

    /// The next value; nil at the end, and when reading was cancelled. Throws what reading threw, again
    /// and again.
    public func next() throws -> Value? { try queue.next() }

    /// How long `next` has waited for values, altogether.
    public var secondsWaited: Double { queue.secondsWaited }

    /// Stops reading; returns when the thread has let go of what it read from.
    public func cancel() {
        queue.cancel()
        queue.waitForEnd()
    }
}

private final class PrefetchQueue<Value>: @unchecked Sendable {
    // Unchecked: `read` belongs to the thread that fills until that sets `ended`, and values to nobody
    // else once they are handed out; every variable below is read and written under `condition`.
    private var read: (() throws -> Value?)?
    private let depth: Int
    private let condition = NSCondition()
    private var waiting: [Value] = []
    private var waited = Duration.zero
    private var ended = false
    private var failure: (any Error)?
    private var cancelled = false

    init(depth: Int, _ read: sending @escaping () throws -> Value?) {
        self.read = read
        self.depth = max(1, depth)
    }

    var secondsWaited: Double { condition.withLock { waited / .seconds(1) } }

    func next() throws -> Value? {
        condition.lock()
        defer { condition.unlock() }
        if waiting.isEmpty && !ended {
            let started = ContinuousClock.now
            while waiting.isEmpty && !ended { condition.wait() }
            waited += ContinuousClock.now - started
        }
        guard waiting.isEmpty else {
            condition.broadcast()
            return waiting.removeFirst()
        }
        if let failure { throw failure }
        return nil
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
            while waitForRoom(), let value = try read?() { add(value) }
        } catch {
            thrown = error
        }
        read = nil
        condition.lock()
        failure = thrown
        ended = true
        condition.broadcast()
        condition.unlock()
    }

    /// False when nobody wants values any more. What is read next has a place then: no more than
    /// `depth` values are ever in memory.
    private func waitForRoom() -> Bool {
        condition.lock()
        defer { condition.unlock() }
        while waiting.count >= depth && !cancelled { condition.wait() }
        return !cancelled
    }

    private func add(_ value: Value) {
        condition.lock()
        defer { condition.unlock() }
        guard !cancelled else { return }
        waiting.append(value)
        condition.broadcast()
    }
}

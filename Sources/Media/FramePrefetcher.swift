import Foundation

/// Runs a `VideoReader` on a thread of its own, a bounded number of pictures ahead.
///
/// The queue is what keeps memory flat: however long the video, at most `depth` pictures wait.
public final class FramePrefetcher: Sendable {
    private let queue: FrameQueue

    public init(_ reader: sending VideoReader, depth: Int = 8) {
        let queue = FrameQueue(reader, depth: depth)
        self.queue = queue
        // The thread holds the queue and not the prefetcher, so that dropping the prefetcher ends it.
        let thread = Thread { queue.fill() }
        thread.stackSize = 8 << 20
        thread.start()
    }

    deinit { queue.cancel() }

    /// The next picture; nil at the end. Throws what the reader threw.
    public func next() throws -> GridFrame? { try queue.next() }

    /// Stops reading; returns when the thread has let go of the file.
    public func cancel() {
        queue.cancel()
        queue.waitForEnd()
    }
}

private final class FrameQueue: @unchecked Sendable {
    // Unchecked: the reader belongs to the thread that fills until that sets `ended`; every other
    // variable is read and written under `condition`.
    private var reader: VideoReader?
    private let depth: Int
    private let condition = NSCondition()
    private var waiting: [GridFrame] = []
    private var ended = false
    private var failure: (any Error)?
    private var cancelled = false

    init(_ reader: sending VideoReader, depth: Int) {
        self.reader = reader
        self.depth = max(1, depth)
    }

    func next() throws -> GridFrame? {
        condition.lock()
        defer { condition.unlock() }
        while waiting.isEmpty && !ended { condition.wait() }
        if !waiting.isEmpty {
            let frame = waiting.removeFirst()
            condition.broadcast()
            return frame
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
            while let frame = try reader?.next(), offer(frame) {}
        } catch {
            thrown = error
        }
        reader = nil
        condition.lock()
        failure = thrown
        ended = true
        condition.broadcast()
        condition.unlock()
    }

    /// Waits for a free place; false when nobody wants pictures any more.
    private func offer(_ frame: GridFrame) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        while waiting.count >= depth && !cancelled { condition.wait() }
        guard !cancelled else { return false }
        waiting.append(frame)
        condition.broadcast()
        return true
    }
}

import Foundation

/// Runs a `VideoReader` on a thread of its own, a bounded number of pictures ahead.
///
/// The queue is what keeps memory flat: however long the video, at most `depth` pictures wait.
public final class FramePrefetcher: @unchecked Sendable {
    // Unchecked: every stored variable is read and written under `condition`.
    private let condition = NSCondition()
    private var waiting: [GridFrame] = []
    private var ended = false
    private var failure: (any Error)?
    private var cancelled = false

    public init(_ reader: sending VideoReader, depth: Int = 8) {
        let box = ReaderBox(reader: reader)
        let thread = Thread { [self] in fill(from: box.reader, depth: depth) }
        thread.stackSize = 8 << 20
        thread.start()
    }

    /// The next picture; nil at the end. Throws what the reader threw.
    public func next() throws -> GridFrame? {
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

    /// Stops reading; returns when the thread has let go of the file.
    public func cancel() {
        condition.lock()
        cancelled = true
        waiting.removeAll()
        condition.broadcast()
        while !ended { condition.wait() }
        condition.unlock()
    }

    private func fill(from reader: VideoReader, depth: Int) {
        do {
            while let frame = try reader.next() {
                condition.lock()
                while waiting.count >= depth && !cancelled { condition.wait() }
                if !cancelled { waiting.append(frame) }
                let stop = cancelled
                condition.broadcast()
                condition.unlock()
                if stop { break }
            }
        } catch {
            condition.lock()
            failure = error
            condition.unlock()
        }
        condition.lock()
        ended = true
        condition.broadcast()
        condition.unlock()
    }
}

/// Carries the reader to its thread, which is the only one to use it from then on.
private struct ReaderBox: @unchecked Sendable {
    let reader: VideoReader
}

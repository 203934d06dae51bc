import Foundation
import Synchronization

/// A piece of work on a thread of its own, whose result is waited for.
package final class Background<Value>: @unchecked Sendable {
    // Unchecked: the value is written before the semaphore is signalled and read after the wait.
    // What the work and its caller use of the same object at one time must be apart.
    private var value: Result<Value, any Error>?
    private let done = DispatchSemaphore(value: 0)
    private let work: () throws -> Value

    /// - Parameter whenDone: called on that thread when the result is there.
    package init(
        _ work: @escaping () throws -> Value, whenDone: @escaping @Sendable () -> Void = {}
    ) {
        self.work = work
        let thread = Thread { [self] in
            value = Result { try self.work() }
            done.signal()
            whenDone()
        }
        thread.stackSize = 8 << 20
        thread.start()
    }

    /// Call once.
    package func result() -> Result<Value, any Error> {
        done.wait()
        return value!  // set before the signal
    }
}

/// Works on items, as many at a time as there are workers, each on a thread of its own.
///
/// - Parameters:
///   - workers: what an item is worked on with; none has two in hand at a time.
///   - onChange: called on the caller's thread with the items in hand, and how many are done, before work on a further
///     one begins, and when work on one has ended and no further one takes its place.
/// - Returns: the results, in the order of the items.
package func results<Worker, Item, Value>(
    of items: [Item], by workers: [Worker], onChange: (_ inHand: [Item], _ done: Int) -> Void,
    _ work: @escaping (Worker, Item) throws -> Value
) -> [Result<Value, any Error>] {
    var results = [Result<Value, any Error>?](repeating: nil, count: items.count)
    var idle = Array(workers.indices.reversed())
    var inHand: [Int: (item: Int, work: Background<Value>)] = [:]
    let ended = Mutex<[Int]>([])
    let end = DispatchSemaphore(value: 0)
    func say(_ further: Int? = nil) {
        let numbers = inHand.values.map(\.item) + (further.map { [$0] } ?? [])
        guard !numbers.isEmpty else { return }
        onChange(numbers.sorted().map { items[$0] }, results.count { $0 != nil })
    }
    var next = 0
    while next < items.count || !inHand.isEmpty {
        if next < items.count, let worker = idle.popLast() {
            say(next)
            let item = items[next]
            let background = Background {
                try work(workers[worker], item)
            } whenDone: {
                ended.withLock { $0.append(worker) }
                end.signal()
            }
            inHand[worker] = (next, background)
            next += 1
        } else {
            end.wait()
            let worker = ended.withLock { $0.removeFirst() }
            let (item, work) = inHand.removeValue(forKey: worker)!  // it had an item
            results[item] = work.result()
            idle.append(worker)
            if next == items.count { say() }
        }
    }
    return results.map { $0! }  // every item was worked on
}

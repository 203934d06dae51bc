import Errors
import Foundation
import Synchronization

/// Signs of life of the ranks of a group. A machine that loses its power or its network closes no connection,
/// and the others would wait until an operation's time is up: half an hour.
///
/// Each rank counts up in the store, and looks whether the next one does. Time is told in beats, so that
/// a job that is suspended as a whole and goes on finds all as they were.
public final class Pulse {
    private let shared: Shared
    private let watchdog: any DispatchSourceTimer

    /// The beats after which a silence is no accident.
    private static let mostMissed = 12
    /// What a rank adds that ends as it should.
    private static let ended = 1 << 40

    private final class Shared: Sendable {
        let missed = Mutex(0)
        let isOver = Mutex(false)
        let onSilence: @Sendable (String) -> Void

        init(_ onSilence: @escaping @Sendable (String) -> Void) { self.onSilence = onSilence }

        /// Says it once.
        func report(_ who: String) {
            let isFirst = isOver.withLock { isOver in
                defer { isOver = true }
                return !isOver
            }
            if isFirst { onSilence(who) }
        }
    }

    /// - Parameters:
    ///   - silence: the seconds after which a rank that gives no sign of life is taken to be gone.
    ///   - onSilence: called once, on another thread, with who that is.
    /// - Throws: `LoopyError` when the store cannot be reached.
    public init(
        _ launch: LaunchEnvironment, silence: Double = 60,
        onSilence: @escaping @Sendable (String) -> Void
    ) throws(LoopyError) {
        // Its own connection: on the group's, somebody may be waiting.
        let store = try TCPStore(host: launch.host, port: launch.port, isServer: false)
        let shared = Shared(onSilence)
        self.shared = shared
        let interval = silence / Double(Self.mostMissed)
        let thread = Thread { Self.beat(launch, store, shared, interval) }
        thread.name = "pulse"
        thread.start()
        // The store itself may be what does not answer.
        watchdog = DispatchSource.makeTimerSource(queue: .global())
        watchdog.schedule(deadline: .now() + interval, repeating: interval)
        watchdog.setEventHandler {
            let missed = shared.missed.withLock { missed in
                missed += 1
                return missed
            }
            if missed > Self.mostMissed { shared.report("the store of the ranks") }
        }
        watchdog.resume()
    }

    /// This rank has nothing more to do with the others.
    public func end() {
        shared.isOver.withLock { $0 = true }
        watchdog.cancel()
    }

    deinit { end() }

    private static func beat(
        _ launch: LaunchEnvironment, _ store: TCPStore, _ shared: Shared, _ interval: Double
    ) {
        let prefix = "loopy/\(launch.attempt)/pulse/"
        let next = (launch.rank + 1) % launch.size
        var last = -1
        var missed = 0
        do {
            while !shared.isOver.withLock({ $0 }) {
                _ = try store.add(prefix + "\(launch.rank)", 1)
                let count = try store.add(prefix + "\(next)", 0)
                missed = count == last || count == 0 ? missed + 1 : 0
                last = count
                if missed > mostMissed, count < ended {
                    return shared.report("rank \(next)")
                }
                shared.missed.withLock { $0 = 0 }
                Thread.sleep(forTimeInterval: interval)
            }
            _ = try store.add(prefix + "\(launch.rank)", ended)
        } catch {
            // Whoever served the store has closed it, which the group's operations notice as well.
            shared.isOver.withLock { $0 = true }
        }
    }
}

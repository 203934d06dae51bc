import Foundation
import Synchronization

/// Whether Ctrl-C or SIGTERM was received since this was made.
public final class StopSignals {
    private let flag = Flag()
    private var sources: [any DispatchSourceSignal] = []

    /// A flag that the signals' queue sets.
    private final class Flag: Sendable {
        private let isSet = Mutex(false)

        var value: Bool { isSet.withLock { $0 } }
        func set() { isSet.withLock { $0 = true } }
    }

    public init() {
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [flag] in flag.set() }
            source.resume()
            sources.append(source)
        }
    }

    public var wasAsked: Bool { flag.value }
}

import Foundation

/// Whether Ctrl-C or SIGTERM was received since this was made.
public final class StopSignals {
    private let flag = Flag()
    private var sources: [any DispatchSourceSignal] = []

    private final class Flag: @unchecked Sendable {
        // Unchecked: guarded by the lock.
        private let lock = NSLock()
        private var isSet = false

        var value: Bool { lock.withLock { isSet } }
        func set() { lock.withLock { isSet = true } }
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

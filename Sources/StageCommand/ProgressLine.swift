import Foundation

/// How far work has come, on standard error: a bar on a terminal, a line now and then elsewhere.
public final class ProgressLine {
    private let name: String
    private let total: Int
    private var done = 0
    private let started = ContinuousClock.now
    private var lastShown: ContinuousClock.Instant?
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private static let barWidth = 24

    public init(_ name: String, total: Int) {
        self.name = name
        self.total = total
        if total > 0 { show() }
    }

    public var isComplete: Bool { done >= total }

    /// A unit more is finished.
    public func advance() { advance(to: done + 1) }

    /// So many units are finished.
    public func advance(to done: Int) {
        self.done = done
        if !isComplete { show() }
    }

    /// What is being worked on; shown where there is room for it.
    public func note(_ item: String) {
        if isTerminal { show(item) }
    }

    /// The last word; the bar's line is ended.
    public func end() {
        guard total > 0 else { return }
        show()
        if isTerminal { FileHandle.standardError.write(Data("\n".utf8)) }
    }

    private func show(_ item: String = "") {
        let now = ContinuousClock.now
        let interval: Duration = isTerminal ? .milliseconds(200) : .seconds(10)
        if let lastShown, now - lastShown < interval, !isComplete { return }
        lastShown = now
        let elapsed = now - started
        var text = "\(name)  \(done)/\(total)  \(Self.clock(elapsed))"
        if done > 0, done < total {
            text += "  \(Self.clock(elapsed / done * (total - done))) left"
        }
        if isTerminal {
            // There may be more to do than there was at first.
            let filled = min(Self.barWidth, Self.barWidth * done / max(1, total))
            let bar =
                String(repeating: "#", count: filled)
                + String(repeating: ".", count: Self.barWidth - filled)
            let line = "\r\u{1b}[K[\(bar)] \(text)  \(item)"
            FileHandle.standardError.write(Data(line.utf8))
        } else {
            say(text)
        }
    }

    private static func clock(_ duration: Duration) -> String {
        let seconds = Int(duration.components.seconds)
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
        return hours > 0
            ? String(format: "%d:%02d:%02d", hours, minutes, seconds % 60)
            : String(format: "%d:%02d", minutes, seconds % 60)
    }
}

import Torch

/// The seconds that each part of generating took.
package final class PartTimes {
    package enum Part: String, CaseIterable {
        case speech, reference, denoising, decoding, encoding
    }

    package private(set) var seconds: [String: Double]

    /// - Parameter seconds: what an earlier process spent on the video, by part.
    package init(_ seconds: [String: Double] = [:]) { self.seconds = seconds }

    /// - Parameter device: waited for: what was asked of it belongs to this part.
    func measure<Result>(
        _ part: Part, on device: Device = .cpu, _ body: () throws -> Result
    ) rethrows -> Result {
        let started = ContinuousClock.now
        defer {
            device.synchronise()
            add(part, (ContinuousClock.now - started) / .seconds(1))
        }
        return try body()
    }

    func add(_ part: Part, _ spent: Double) { seconds[part.rawValue, default: 0] += spent }
}

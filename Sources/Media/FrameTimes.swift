import CFFmpeg

/// Everything in Loopy runs on this grid: picture n is shown at n/25 s, and audio sample 640·n
/// belongs to it.
public enum Grid {
    public static let framesPerSecond = 25
    public static let sampleRate = 16_000
    public static let samplesPerFrame = sampleRate / framesPerSecond

    static let timeBase = AVRational(num: 1, den: Int32(framesPerSecond))
}

/// Where a stream's time line starts and how it ticks, so that any reader of the file, at any
/// place of it, gives a picture the same grid index.
public struct VideoClock: Codable, Sendable, Equatable {
    /// Timestamp of the first decoded picture, in ticks.
    public var start: Int64
    /// Seconds a tick: numerator and denominator.
    public var numerator: Int32
    public var denominator: Int32

    public init(start: Int64, numerator: Int32, denominator: Int32) {
        self.start = start
        self.numerator = numerator
        self.denominator = denominator
    }

    var timeBase: AVRational { AVRational(num: numerator, den: denominator) }

    /// Seconds of the container's own time line at grid index 0.
    public var startSeconds: Double { Double(start) * Double(numerator) / Double(denominator) }

    /// Grid index at which a picture takes effect: its time, rounded to the nearest 1/25 s, as
    /// FFmpeg's `fps` filter does.
    func gridIndex(_ timestamp: Int64) -> Int {
        Int(av_rescale_q_rnd(timestamp - start, timeBase, Grid.timeBase, AV_ROUND_NEAR_INF))
    }

    func timestamp(gridIndex: Int) -> Int64 {
        start + av_rescale_q_rnd(Int64(gridIndex), Grid.timeBase, timeBase, AV_ROUND_DOWN)
    }
}

/// Gives every decoded picture a timestamp later than the one before it: missing and backward
/// timestamps are replaced by the last one plus a picture's nominal duration.
struct TimestampRepair {
    let nominalDuration: Int64
    private var last: Int64?

    init(nominalDuration: Int64) { self.nominalDuration = max(1, nominalDuration) }

    mutating func repaired(_ timestamp: Int64) -> Int64 {
        var result = timestamp
        if let last, timestamp == loopy_no_pts || timestamp <= last {
            result = last + nominalDuration
        } else if timestamp == loopy_no_pts {
            result = 0
        }
        last = result
        return result
    }
}

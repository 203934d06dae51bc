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
/// point of it, gives a picture the same grid index.
public struct VideoClock: Codable, Sendable, Equatable {
    /// The timestamp of the first decoded picture, in ticks.
    public var start: Int64
    /// The numerator of the seconds that a tick lasts.
    public var numerator: Int32
    /// Their denominator.
    public var denominator: Int32
    /// False where timestamps are missing, go backward or leap: a picture's index then follows from
    /// all pictures before it, and every reader must begin at the beginning.
    public var isRegular: Bool

    public init(start: Int64, numerator: Int32, denominator: Int32, isRegular: Bool = true) {
        self.start = start
        self.numerator = numerator
        self.denominator = denominator
        self.isRegular = isRegular
    }

    enum CodingKeys: String, CodingKey {
        case start, numerator, denominator
        case isRegular = "regular"
    }

    var timeBase: AVRational { AVRational(num: numerator, den: denominator) }

    /// The seconds of the container's own time line at grid index 0.
    public var startSeconds: Double { Double(start) * Double(numerator) / Double(denominator) }

    /// The grid index at which a picture takes effect: its time, rounded to the nearest 1/25 s, as
    /// FFmpeg's `fps` filter does.
    func gridIndex(_ timestamp: Int64) -> Int {
        let (ticks, overflows) = timestamp.subtractingReportingOverflow(start)
        guard !overflows else { return timestamp < start ? Int.min : Int.max }
        return Int(av_rescale_q_rnd(ticks, timeBase, Grid.timeBase, AV_ROUND_NEAR_INF))
    }

    func timestamp(gridIndex: Int) -> Int64 {
        start &+ av_rescale_q_rnd(Int64(gridIndex), Grid.timeBase, timeBase, AV_ROUND_DOWN)
    }

    /// A pause longer than this, in ticks, is no pause but a broken timestamp.
    var longestPause: Int64 { Self.longestPause(timeBase) }

    static func longestPause(_ timeBase: AVRational) -> Int64 {
        av_rescale_q(longestPauseSeconds, AVRational(num: 1, den: 1), timeBase)
    }

    static let longestPauseSeconds: Int64 = 3600

    /// The number of ticks that a picture is shown: what its packet states, where that is believable.
    func shownDuration(stated: Int64, nominal: Int64) -> Int64 {
        stated > 0 && stated <= longestPause ? stated : nominal
    }
}

/// Gives every decoded picture a timestamp later than the one before it: a missing or backward
/// timestamp is replaced by the last one plus a picture's nominal duration, and so is one that leaps
/// by more than an hour. Where time goes on from a leap, or from a step of more than a second back, what comes is moved
/// along with it: recordings that are joined end to end come one after the other.
struct TimestampRepair {
    private let nominalDuration: Int64
    private let longestPause: Int64
    private var last: Int64?
    private var shift: Int64 = 0
    /// The last timestamp, where it was more than a second too early.
    private var steppedBack: Int64?
    /// The number of pictures that had no timestamp of their own.
    private(set) var untimed = 0

    init(nominalDuration: Int64, longestPause: Int64) {
        self.nominalDuration = max(1, nominalDuration)
        self.longestPause = longestPause
    }

    mutating func repaired(_ stated: Int64) -> Int64 {
        if stated == loopy_no_pts { untimed += 1 }
        // Timestamps beyond this are garbage; below it no sum here can overflow.
        let bound: Int64 = 1 << 60
        let timestamp = min(max(stated, -bound), bound)
        guard let last else {
            let first = stated == loopy_no_pts ? 0 : timestamp
            self.last = first
            return first
        }
        var result = last + nominalDuration
        if stated != loopy_no_pts {
            let time = timestamp + shift,
                second = max(1, longestPause / VideoClock.longestPauseSeconds)
            let isEarly = last - time > second
            let goesOn = steppedBack.map { (1...second).contains(timestamp - $0) } ?? false
            if abs(time - last) > longestPause || isEarly && goesOn {
                shift = result - timestamp
            } else if time > last {
                result = time
            }
            steppedBack = isEarly ? timestamp : nil
        }
        self.last = result
        return result
    }
}

extension AVRational {
    var inverted: AVRational { AVRational(num: den, den: num) }

    static func == (a: AVRational, b: AVRational) -> Bool { a.num == b.num && a.den == b.den }
}

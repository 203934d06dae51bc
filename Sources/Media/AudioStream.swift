import Errors

/// The speech of a whole media file, as `AudioReader` gives it, from front to back in pieces: an hour
/// takes no more memory than a minute. Other rates than 16 kHz are for people to hear. Belongs to one
/// task.
///
/// Everything is decoded twice. The first pass learns what the whole recording must say: how long it
/// is, its mean and variance (speech encoders want it normalised), and whether its channels cancel
/// each other.
public final class AudioStream {
    /// The number of samples that `next` gives altogether.
    public let sampleCount: Int
    /// The mean of the whole recording; 0 where there is no sound.
    public let mean: Double
    /// The variance of the whole recording; 0 where there is no sound.
    public let variance: Double

    private let mixing: ChannelStatistics.Mixing
    private var window: SpeechWindow
    /// The number of samples that `next` has given.
    private var given = 0

    /// - Parameters:
    ///   - bytes: the part of the file that is the media file: a member of an archive.
    ///   - rate: the number of samples a second.
    ///   - start: seconds on the container's time line at which the stream begins
    ///     (`clock.startSeconds` for the sound that belongs to a video's pictures); nil for the
    ///     first sample's time, which is where files of sound alone begin.
    /// - Throws: `LoopyError` `.noAudio` when there is no audio stream that can be decoded,
    ///   `.tooLarge` when the file's time line reaches beyond the limit.
    public init(
        path: String, bytes: Range<Int>? = nil, rate: Int = Grid.sampleRate, start: Double? = nil,
        limits: MediaLimits = MediaLimits()
    ) throws {
        func open() throws -> SpeechWindow {
            try SpeechWindow(path: path, bytes: bytes, rate: rate, start: start, limits: limits)
        }
        var statistics = ChannelStatistics()
        var survey = try open()
        while true {
            let range = try survey.load(rate)
            if range.isEmpty { break }
            statistics += survey.buffer.statistics(range)
            survey.drop(range.count)
        }
        sampleCount = statistics.count
        mean = statistics.mean
        variance = statistics.variance
        mixing = statistics.mixing
        window = try open()
    }

    /// The next `count` samples; fewer at the end, and none behind it.
    public func next(_ count: Int) throws -> [Float] {
        let range = try window.load(min(count, sampleCount - given))
        given += range.count
        let samples = window.buffer.mixed(range, by: mixing)
        window.drop(range.count)
        return samples
    }
}

/// The part of a recording that is being put together, moving along it.
private struct SpeechWindow {
    /// How many samples a piece may reach back, what a resampler held included.
    private let overlap: Int
    private let rate: Int

    private(set) var buffer = SpeechBuffer(count: 0)
    private let timeline: SpeechTimeline
    private let longest: Int
    private let path: String
    /// The position on the time line of the buffer's first sample.
    private var origin = 0
    /// The number of samples at the buffer's beginning that are not wanted any more.
    private var dropped = 0
    /// A piece that was decoded, but lies beyond what has been asked for: a gap may be of any length.
    private var waiting: SpeechTimeline.Piece?

    init(
        path: String, bytes: Range<Int>?, rate: Int, start: Double?, limits: MediaLimits
    ) throws {
        timeline = try SpeechTimeline(
            path: path, bytes: bytes, rate: rate, limits: limits, start: start)
        self.rate = rate
        overlap = Int(2 * SoundClock.longestOverlapSeconds) * rate
        longest = Int(min(1e12, limits.maximumDuration * Double(rate)))
        self.path = path
    }

    /// Where in the buffer the next `count` samples are; fewer at the recording's end.
    mutating func load(_ count: Int) throws -> Range<Int> {
        let end = dropped + count
        let wanted = end + overlap
        while buffer.count < wanted {
            if waiting == nil { waiting = try nextPiece() }
            guard let piece = waiting else { break }
            let start = piece.position - origin
            buffer.extend(to: min(start, wanted))
            guard start < wanted else { break }
            buffer.extend(to: start + piece.count)
            buffer.lay(piece, at: start)
            waiting = nil
        }
        return dropped..<min(end, buffer.count)
    }

    mutating func drop(_ count: Int) {
        dropped += count
        // Moving the rest to the front costs time: not for every small piece.
        guard dropped >= overlap else { return }
        buffer.removeFirst(dropped)
        origin += dropped
        dropped = 0
    }

    private func nextPiece() throws -> SpeechTimeline.Piece? {
        guard let piece = try timeline.next() else { return nil }
        guard piece.position + piece.count <= longest else {
            throw LoopyError(
                .tooLarge,
                "its sound reaches beyond \(longest / rate) s (limits.maximum_duration)",
                path: path)
        }
        return piece
    }
}

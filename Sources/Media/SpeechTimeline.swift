import CFFmpeg

/// The sound of a media file at one rate, in pieces that know their position on the time line. Belongs to
/// one thread at a time.
final class SpeechTimeline {
    struct Piece {
        /// Where the first sample belongs, in samples from the time line's zero.
        let position: Int
        /// One channel or two, equally long and not empty.
        let channels: [[Float]]

        var count: Int { channels[0].count }
    }

    /// True when decoding began somewhere that the file does not give a time for.
    private(set) var isLost = false
    private let source: any SoundSource
    private let rate: Int
    private let isMidway: Bool
    private let end: Double
    /// Seconds of the container's time line at position 0.
    private var start: Double?
    private var clock = SoundClock()
    private var run: Resampler?
    /// Where the run's next output sample belongs.
    private var position = 0
    private var ready: [Piece] = []
    private var isAtEnd = false

    /// - Parameters:
    ///   - rate: the number of samples a second.
    ///   - start: the seconds of the container's time line at position 0; nil for the first sample's.
    ///   - end: the seconds of the container's time line from which on nothing is wanted.
    ///   - seekTo: the seconds at or before which to begin; nil for the beginning.
    init(
        path: String, bytes: Range<Int>? = nil, rate: Int = Grid.sampleRate, limits: MediaLimits,
        start: Double?, end: Double = .infinity, seekTo: Double? = nil
    ) throws {
        source = try openSound(path: path, bytes: bytes, limits: limits, seekTo: seekTo)
        self.rate = rate
        isMidway = seekTo != nil
        self.start = start
        self.end = end
    }

    /// The next piece in the file's order; nil at the end.
    func next() throws -> Piece? {
        while ready.isEmpty {
            guard !isAtEnd else { return nil }
            if try !advance() {
                isAtEnd = true
                try finishRun()
            }
        }
        return ready.removeFirst()
    }

    /// Decodes one frame; false at the end.
    private func advance() throws -> Bool {
        guard let (frame, stated) = try source.next() else { return false }
        isLost = clock.next == nil && stated == nil && isMidway
        if isLost { return false }
        let expected = clock.next
        let time = clock.place(
            stated, seconds: Double(frame.nb_samples) / Double(frame.sample_rate))
        if time >= end { return false }
        let zero = start ?? time
        start = zero
        if time != expected || run?.accepts(frame) != true {
            try finishRun()
            let resampler = try Resampler(for: frame, to: rate)
            // Beyond any span, a position needs no precision but must fit an integer.
            let first = min(1e12, max(-1e12, (time - zero) * Double(rate)))
            position = try resampler.align(to: first)
            run = resampler
        }
        emit(try run!.convert(frame))  // made above where it was missing
        return true
    }

    private func finishRun() throws {
        guard let ending = run else { return }
        run = nil
        emit(try ending.convert(nil))
    }

    private func emit(_ channels: [[Float]]) {
        guard !channels[0].isEmpty else { return }
        ready.append(Piece(position: position, channels: channels))
        position += channels[0].count
    }
}

/// Where sound belongs on the time line: it goes on where it ended, unless timestamps say otherwise.
///
/// As for pictures (`TimestampRepair`), what is joined end to end comes one after the other: timestamps that leap, and go
/// on from there, are moved along.
package struct SoundClock {
    /// Jumps smaller than this are jitter of the container.
    static let jitterSeconds = 0.03
    /// Sound that comes earlier by no more than this overlaps with what was before: samples that are shorter than they
    /// say add up to such jumps. Earlier still, and recordings are joined.
    static let longestOverlapSeconds = 1.0
    /// Later than this is no gap.
    private static let longestGapSeconds = Double(VideoClock.longestPauseSeconds)

    /// The seconds of the time line at which the next sound is expected; nil before the first.
    private(set) var next: Double?
    /// The seconds that are added to what is stated.
    private(set) var shift = 0.0
    /// The last timestamp, where it leapt.
    private var leapt: Double?

    package init() {}

    /// - Parameters:
    ///   - stated: the seconds that a frame or packet states; nil where it states none.
    ///   - seconds: how long it lasts.
    /// - Returns: the seconds at which it belongs.
    package mutating func place(_ stated: Double?, seconds: Double) -> Double {
        var time = next ?? stated ?? 0
        defer { next = time + seconds }
        guard let stated else { return time }
        let jump = stated + shift - time
        let isLeap = !(-Self.longestOverlapSeconds...Self.longestGapSeconds).contains(jump)
        if !isLeap, abs(jump) >= Self.jitterSeconds { time += jump }
        // A single one is a fault of its own.
        if isLeap, let leapt, (0...1).contains(stated - leapt) { shift = time - stated }
        leapt = isLeap ? stated : nil
        return time
    }
}

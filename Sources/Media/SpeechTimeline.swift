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

    /// Jumps of the time line smaller than this are jitter of the container; larger ones are gaps
    /// or overlaps.
    private static let jitterSeconds = 0.03
    /// A jump beyond this is a broken timestamp and not followed.
    private static let longestJumpSeconds = Double(VideoClock.longestPauseSeconds)

    /// True when decoding began somewhere that the file does not give a time for.
    private(set) var isLost = false
    private let source: any SoundSource
    private let rate: Int
    private let isMidway: Bool
    private let end: Double
    /// Seconds of the container's time line at position 0.
    private var start: Double?
    private var nextTime: Double?
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
        isLost = nextTime == nil && stated == nil && isMidway
        if isLost { return false }
        var time = nextTime ?? stated ?? 0
        if let stated, (Self.jitterSeconds...Self.longestJumpSeconds).contains(abs(stated - time)) {
            time = stated
        }
        if time >= end { return false }
        let zero = start ?? time
        start = zero
        if time != nextTime || run?.accepts(frame) != true {
            try finishRun()
            let resampler = try Resampler(for: frame, to: rate)
            // Beyond any span, a position needs no precision but must fit an integer.
            let first = min(1e12, max(-1e12, (time - zero) * Double(rate)))
            position = try resampler.align(to: first)
            run = resampler
        }
        emit(try run!.convert(frame))  // made above where it was missing
        nextTime = time + Double(frame.nb_samples) / Double(frame.sample_rate)
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

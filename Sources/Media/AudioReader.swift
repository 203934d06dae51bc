/// Reads the speech of a media file as the networks want it: 16 kHz, mono, float. `AudioStream` reads
/// a whole file in pieces.
public enum AudioReader {
    /// How much is decoded before the wanted span, so that codecs with memory have settled.
    private static let prerollSeconds = 1.0

    /// The samples of `count / 16000` seconds from `start`. Where the file has no sound (before
    /// its audio begins, in gaps, after its end) there are zeros; where pieces of its sound overlap by
    /// up to a second, the later one wins. What is joined end to end is heard one after the other.
    ///
    /// Stereo is averaged; where the channels cancel each other, the louder one is taken. Other
    /// layouts are mixed by FFmpeg's standard coefficients.
    ///
    /// - Parameters:
    ///   - start: seconds on the container's time line; `clock.startSeconds + index / 25.0` for
    ///     the sound that belongs to grid index `index`.
    ///   - isRegular: whether timestamps rise through the file (`clock.isRegular`): otherwise all of it is
    ///     read from the beginning, for a time may occur twice.
    /// - Throws: `LoopyError` `.noAudio` when there is no audio stream that can be decoded.
    public static func read(
        path: String, start: Double, count: Int, isRegular: Bool = true,
        limits: MediaLimits = MediaLimits()
    ) throws -> [Float] {
        if isRegular, start > prerollSeconds {
            let seek = start - prerollSeconds
            if let found = try read(path, start, count, limits, seekTo: seek) { return found }
        }
        // Without a timestamp after the jump, only counting from the beginning tells the time.
        return try read(path, start, count, limits, seekTo: nil) ?? []
    }

    /// nil when decoding began somewhere that the file does not give a time for.
    private static func read(
        _ path: String, _ start: Double, _ count: Int, _ limits: MediaLimits, seekTo seek: Double?
    ) throws -> [Float]? {
        let timeline = try SpeechTimeline(
            path: path, limits: limits, start: start,
            end: start + Double(count) / Double(Grid.sampleRate), seekTo: seek)
        var buffer = SpeechBuffer(count: count)
        while let piece = try timeline.next() { buffer.lay(piece, at: piece.position) }
        if timeline.isLost { return nil }
        return buffer.mixed(0..<count, by: buffer.statistics(0..<count).mixing)
    }

    /// Counts the samples that the audio of a file decodes to, at its own rate.
    ///
    /// - Parameter bytes: the part of the file that is the media file: a member of an archive.
    public static func sampleCount(
        path: String, bytes: Range<Int>? = nil, limits: MediaLimits = MediaLimits()
    ) throws -> Int {
        let source = try openSound(path: path, bytes: bytes, limits: limits, seekTo: nil)
        var count = 0
        while let (frame, _) = try source.next() { count += Int(frame.nb_samples) }
        return count
    }
}

import Errors

/// A video with sound that is watched while it is made: each piece is handed on when it is encoded, as a
/// fragment of an MP4. The same packets as a `GrowingVideo` of the same pictures and sound.
public final class LiveVideo {
    private let fragments: FragmentEncoder
    private let write: ([UInt8]) throws -> Void
    private var isBegun = false

    /// The sound's samples that one picture lasts.
    public var samplesPerFrame: Int { fragments.samplesPerFrame }

    /// - Parameters:
    ///   - encoding: how pictures are encoded; its `size` is their side.
    ///   - rate: the sound's samples a second: a rate of AAC's that 25 divides.
    ///   - write: takes the file's bytes, in turn.
    /// - Throws: `LoopyError` `.processing`.
    public init(
        encoding: VideoEncoding, rate: Int, write: @escaping ([UInt8]) throws -> Void
    ) throws {
        fragments = try FragmentEncoder(encoding: encoding, rate: rate)
        self.write = write
    }

    /// Encodes the next pictures and their sound, and hands them on.
    ///
    /// - Parameters:
    ///   - pictures: 8-bit RGB, `[size, size, 3]` each.
    ///   - sound: samples from -1 to 1; what is lacking of the pictures' time is silence.
    ///   - isLast: whether nothing comes behind.
    public func append(_ pictures: [[UInt8]], sound: [Float], isLast: Bool) throws {
        let fragment = try fragments.encode(pictures, sound: sound, isLast: isLast)
        try write((isBegun ? [] : fragment.header) + fragment.bytes)
        isBegun = true
    }
}

/// Sound that is heard while it comes in, as encoders of speech want it: 16 kHz.
public final class LiveSound {
    private let rate: Int
    private var resampler: Resampler?

    /// - Parameter rate: the samples a second that come in.
    public init(rate: Int) { self.rate = rate }

    /// Resamples what came in; nothing at all ends the sound, and gives what was held back.
    ///
    /// - Throws: `LoopyError` `.processing`.
    public func resample(_ samples: [Float]) throws -> [Float] {
        guard rate != Grid.sampleRate else { return samples }
        guard !samples.isEmpty else { return try resampler?.convert(nil)[0] ?? [] }
        let frame = try Frame.samples(samples, rate: rate)
        let resampler = try self.resampler ?? Resampler(for: frame, to: Grid.sampleRate)
        self.resampler = resampler
        return try resampler.convert(frame)[0]
    }
}

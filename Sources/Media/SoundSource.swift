import CFFmpeg
import Errors
import Foundation

/// Where the sound of a file comes from. Belongs to one thread at a time.
protocol SoundSource: AnyObject {
    /// The next samples, which stand until the next call, and their time in seconds where the file
    /// states one; nil at the end.
    func next() throws -> (frame: Frame, time: Double?)?
}

/// Opens the sound that a player would play: WAV, FLAC and AIFF by libsndfile, everything else by FFmpeg.
///
/// - Parameters:
///   - bytes: the part of the file that is the media file: a member of an archive.
///   - seekTo: the seconds at or before which to begin; nil for the beginning.
/// - Throws: `LoopyError` `.noAudio` when there is no audio stream that can be decoded.
func openSound(
    path: String, bytes: Range<Int>?, limits: MediaLimits, seekTo: Double?
) throws -> any SoundSource {
    try requireReadableFile(path)
    guard let file = SoundFile(path: path, range: bytes) else {
        return try AudioDecoder(path: path, bytes: bytes, limits: limits, seekTo: seekTo)
    }
    if let samples = file.sampleCount {
        try limits.check(declared: Double(samples) / Double(file.sampleRate), path: path)
    }
    return SoundFileReader(file, seekTo: seekTo)
}

/// The samples of a sound file, in pieces.
private final class SoundFileReader: SoundSource {
    private static let pieceLength = 4096

    private let file: SoundFile
    private var position = 0

    init(_ file: SoundFile, seekTo: Double?) {
        self.file = file
        guard let seekTo, seekTo > 0 else { return }
        // Beyond any file, a time needs no precision but must fit an integer.
        let sample = Int(min(seekTo * Double(file.sampleRate), 1e15))
        if file.seek(to: sample) { position = sample }
    }

    func next() throws -> (frame: Frame, time: Double?)? {
        let frame = try Frame.samples(
            AV_SAMPLE_FMT_FLT, rate: file.sampleRate, channels: file.channels,
            count: Self.pieceLength)
        let capacity = Self.pieceLength * file.channels
        // A frame that FFmpeg allocated has its first plane.
        let count = try frame.data.0!.withMemoryRebound(to: Float.self, capacity: capacity) {
            try file.read(into: UnsafeMutableBufferPointer(start: $0, count: capacity))
        }
        guard count > 0 else { return nil }
        frame.nb_samples = Int32(count)
        defer { position += count }
        return (frame, Double(position) / Double(file.sampleRate))
    }
}

import CFFmpeg
import Errors

/// Decodes the audio that a player would choose, frame by frame. Belongs to one thread at a time.
final class AudioDecoder: SoundSource {
    private let container: Container
    private let decoder: CodecContext
    private let index: Int
    private let secondsPerTick: Double
    private let packet: Packet
    private let frame: Frame
    private var isAtEnd = false

    /// - Parameters:
    ///   - bytes: the part of the file that is the media file: a member of an archive.
    ///   - seekTo: the seconds at or before which to begin; nil for the beginning.
    /// - Throws: `LoopyError` `.noAudio` when there is no audio stream that can be decoded.
    init(path: String, bytes: Range<Int>?, limits: MediaLimits, seekTo: Double?) throws {
        container = try Container(path: path, bytes: bytes, limits: limits)
        let video = container.bestStream(AVMEDIA_TYPE_VIDEO)
        guard let index = container.bestStream(AVMEDIA_TYPE_AUDIO, relatedTo: video) else {
            throw LoopyError(.noAudio, "has no audio stream that can be decoded", path: path)
        }
        self.index = index
        container.readOnly(index)
        let stream = container.stream(index)
        decoder = try CodecContext.decoder(of: stream, threads: 1, limits: limits, path: path)
        let timeBase = stream.pointee.time_base
        secondsPerTick = Double(timeBase.num) / Double(timeBase.den)
        packet = try Packet()
        frame = try Frame()
        if let seekTo {
            // A container that cannot seek is read from its beginning: slower, not different.
            let bound = 1e18
            _ = container.seek(index, to: Int64(min(bound, seekTo / secondsPerTick)))
        }
    }

    func next() -> (frame: Frame, time: Double?)? {
        while true {
            while decoder.receive(into: frame) >= 0 {
                guard frame.sample_rate > 0, frame.nb_samples > 0 else { continue }
                let timestamp = frame.best_effort_timestamp
                let time = timestamp == loopy_no_pts ? nil : Double(timestamp) * secondsPerTick
                return (frame, time)
            }
            if isAtEnd { return nil }
            isAtEnd = !container.nextPacket(of: index, into: packet)
            // An empty packet makes the decoder give what it still holds.
            _ = decoder.send(isAtEnd ? nil : packet)
        }
    }
}

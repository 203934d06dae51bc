import CFFmpeg
import Errors

/// Decodes the audio that a player would choose, frame by frame. Belongs to one thread at a time.
final class AudioDecoder {
    private let container: Container
    private let decoder: Decoder
    private let index: Int
    private let secondsPerTick: Double
    private let packet: UnsafeMutablePointer<AVPacket>
    private let frame: UnsafeMutablePointer<AVFrame>
    private var isAtEnd = false

    /// - Parameters:
    ///   - bytes: the part of the file that is the media file: a member of an archive.
    ///   - seekTo: seconds at or before which to begin; nil for the beginning.
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
        decoder = try Decoder(stream, threads: 1, limits: limits, path: path)
        let timeBase = stream.pointee.time_base
        secondsPerTick = Double(timeBase.num) / Double(timeBase.den)
        guard let packet = av_packet_alloc(), let frame = av_frame_alloc() else {
            throw LoopyError(.processing, "out of memory for a packet", path: path)
        }
        self.packet = packet
        self.frame = frame
        if let seekTo {
            // A container that cannot seek is read from its beginning: slower, not different.
            let bound = 1e18
            _ = container.seek(index, to: Int64(min(bound, seekTo / secondsPerTick)))
        }
    }

    deinit {
        var (packet, frame) = (Optional(packet), Optional(frame))
        av_packet_free(&packet)
        av_frame_free(&frame)
    }

    /// The next frame, which stands until the next call, and its time in seconds where it states
    /// one; nil at the end.
    func next() -> (frame: UnsafeMutablePointer<AVFrame>, time: Double?)? {
        while true {
            while avcodec_receive_frame(decoder.context, frame) >= 0 {
                guard frame.pointee.sample_rate > 0, frame.pointee.nb_samples > 0 else { continue }
                let timestamp = frame.pointee.best_effort_timestamp
                let time = timestamp == loopy_no_pts ? nil : Double(timestamp) * secondsPerTick
                return (frame, time)
            }
            if isAtEnd { return nil }
            isAtEnd = !container.nextPacket(of: index, into: packet)
            // An empty packet makes the decoder give what it still holds.
            _ = avcodec_send_packet(decoder.context, isAtEnd ? nil : packet)
        }
    }
}

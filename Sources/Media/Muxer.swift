import CFFmpeg
import Errors

/// Writes packets into a container, in a file or in memory.
final class Muxer {
    private let context: OutputContext
    /// Writing in memory fails for other reasons than writing a file.
    private let failure: LoopyError.Category

    /// - Parameters:
    ///   - format: the muxer's name, such as "mp4".
    ///   - path: the file to write; nil for memory.
    /// - Throws: `LoopyError` `.processing`; `.output` when the file cannot be written.
    init(format: String, path: String? = nil) throws {
        context = try OutputContext(format: format, path: path)
        failure = path == nil ? .processing : .output
        // No version strings and no dates: the same packets give the same bytes.
        context.flags |= AVFMT_FLAG_BITEXACT
    }

    static func hasGlobalHeader(_ format: String) -> Bool {
        guard let found = av_guess_format(format, nil, nil) else { return false }
        return found.pointee.flags & AVFMT_GLOBALHEADER != 0
    }

    /// Adds a stream of an encoder's packets; streams are counted from 0.
    func addStream(of encoder: PacketEncoder, timeBase: AVRational? = nil) throws {
        let stream = try newStream()
        try check(
            avcodec_parameters_from_context(stream.pointee.codecpar, encoder.context.pointer),
            .processing, "cannot describe the stream")
        stream.pointee.time_base = timeBase ?? encoder.context.time_base
        stream.pointee.avg_frame_rate = encoder.context.framerate
    }

    /// Adds a stream of packets as another container has them.
    func addStream(like other: UnsafeMutablePointer<AVStream>) throws {
        let stream = try newStream()
        try check(
            avcodec_parameters_copy(stream.pointee.codecpar, other.pointee.codecpar), .processing,
            "cannot describe the stream")
        stream.pointee.codecpar.pointee.codec_tag = 0
        stream.pointee.time_base = other.pointee.time_base
        stream.pointee.avg_frame_rate = other.pointee.avg_frame_rate
    }

    private func newStream() throws -> UnsafeMutablePointer<AVStream> {
        guard let stream = avformat_new_stream(context.pointer, nil) else {
            throw LoopyError(.processing, "out of memory for a stream")
        }
        return stream
    }

    /// Writes what comes before the packets.
    ///
    /// - Returns: the number of bytes so far.
    @discardableResult
    func begin(_ options: [String: String] = [:]) throws -> Int {
        try check(context.writeHeader(Options(options)), failure, "cannot write a header")
        avio_flush(context.pb)
        return Int(avio_tell(context.pb))
    }

    /// - Parameters:
    ///   - packet: its times are brought to the stream's time base.
    ///   - stream: the stream's number.
    func write(_ packet: Packet, to stream: Int, from timeBase: AVRational) throws {
        guard let target = context.streams[stream] else { return }
        av_packet_rescale_ts(packet.pointer, timeBase, target.pointee.time_base)
        packet.stream_index = Int32(stream)
        try check(
            av_interleaved_write_frame(context.pointer, packet.pointer), failure,
            "cannot write a packet")
    }

    /// Ends a fragment with the packets so far.
    func endFragment() throws {
        try check(
            av_interleaved_write_frame(context.pointer, nil), failure, "cannot write packets")
        try check(av_write_frame(context.pointer, nil), failure, "cannot end a fragment")
    }

    /// Ends the container.
    func end() throws {
        try check(av_write_trailer(context.pointer), failure, "cannot finish the file")
        avio_flush(context.pb)
        try check(context.pb.pointee.error, failure, "cannot finish the file")
    }

    /// All bytes of a container in memory. Call last.
    func takeBytes() -> [UInt8] { context.takeBytes() }
}

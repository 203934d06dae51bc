import CFFmpeg
import Errors

/// A container that is being written: to a file, or in memory.
final class Muxer {
    private var context: UnsafeMutablePointer<AVFormatContext>?
    private let isInMemory: Bool

    /// - Parameters:
    ///   - format: the muxer's name, "mp4" or "flac".
    ///   - path: of the file; nil for memory.
    /// - Throws: `LoopyError` `.processing`, as everything here.
    init(format: String, path: String? = nil) throws {
        isInMemory = path == nil
        // "file:" keeps a name with a colon in it from being read as an address.
        let name = path.map { "file:" + $0 }
        try check(
            avformat_alloc_output_context2(&context, nil, format, name), .processing,
            "cannot write '\(format)'")
        // No version strings and no dates: the same packets give the same bytes.
        context?.pointee.flags |= AVFMT_FLAG_BITEXACT
        if let name {
            try check(
                avio_open(&context!.pointee.pb, name, AVIO_FLAG_WRITE), .processing,
                "cannot be written", path: path ?? "")
        } else {
            try check(
                avio_open_dyn_buf(&context!.pointee.pb), .processing, "out of memory for output")
        }
    }

    deinit {
        if context?.pointee.pb != nil {
            if isInMemory { _ = takeBytes() } else { avio_closep(&context!.pointee.pb) }
        }
        avformat_free_context(context)
    }

    static func hasGlobalHeader(_ format: String) -> Bool {
        guard let found = av_guess_format(format, nil, nil) else { return false }
        return found.pointee.flags & AVFMT_GLOBALHEADER != 0
    }

    /// Adds a stream of an encoder's packets; streams are counted from 0.
    func addStream(of encoder: PacketEncoder, timeBase: AVRational? = nil) throws {
        let stream = try newStream()
        try check(
            avcodec_parameters_from_context(stream.pointee.codecpar, encoder.context), .processing,
            "cannot describe the stream")
        stream.pointee.time_base = timeBase ?? encoder.context.pointee.time_base
        stream.pointee.avg_frame_rate = encoder.context.pointee.framerate
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
        guard let context, let stream = avformat_new_stream(context, nil) else {
            throw LoopyError(.processing, "out of memory for a stream")
        }
        return stream
    }

    /// Writes what comes before the packets.
    ///
    /// - Returns: its bytes, so far.
    @discardableResult
    func begin(_ options: [String: String] = [:]) throws -> Int {
        var dictionary: OpaquePointer?
        defer { av_dict_free(&dictionary) }
        for (name, value) in options { av_dict_set(&dictionary, name, value, 0) }
        try check(
            avformat_write_header(context, &dictionary), .processing, "cannot write a header")
        avio_flush(context?.pointee.pb)
        return Int(avio_tell(context?.pointee.pb))
    }

    /// - Parameters:
    ///   - packet: its times are brought to the stream's time base.
    ///   - stream: its number.
    func write(
        _ packet: UnsafeMutablePointer<AVPacket>, to stream: Int, from timeBase: AVRational
    ) throws {
        guard let target = context?.pointee.streams[stream] else { return }
        av_packet_rescale_ts(packet, timeBase, target.pointee.time_base)
        packet.pointee.stream_index = Int32(stream)
        try check(
            av_interleaved_write_frame(context, packet), .processing, "cannot write a packet")
    }

    /// Ends a fragment with the packets so far.
    func endFragment() throws {
        try check(av_interleaved_write_frame(context, nil), .processing, "cannot write packets")
        try check(av_write_frame(context, nil), .processing, "cannot end a fragment")
    }

    /// Ends the container.
    func end() throws {
        try check(av_write_trailer(context), .processing, "cannot finish the file")
        avio_flush(context?.pointee.pb)
        if let error = context?.pointee.pb.pointee.error {
            try check(error, .processing, "cannot finish the file")
        }
    }

    /// All bytes of a container in memory. Call last.
    func takeBytes() -> [UInt8] {
        var buffer: UnsafeMutablePointer<UInt8>?
        let count = Int(avio_close_dyn_buf(context?.pointee.pb, &buffer))
        context?.pointee.pb = nil
        defer { av_free(buffer) }
        return Array(UnsafeBufferPointer(start: buffer, count: count))
    }
}

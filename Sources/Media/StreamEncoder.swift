import CFFmpeg

/// Encodes one stream into one container in memory.
final class StreamEncoder {
    let context: UnsafeMutablePointer<AVCodecContext>
    private var muxer: UnsafeMutablePointer<AVFormatContext>?
    private let stream: UnsafeMutablePointer<AVStream>
    private let packet: UnsafeMutablePointer<AVPacket>

    /// - Parameters:
    ///   - format: the muxer's name, "mp4" or "flac".
    ///   - configure: sets sizes, rates and options before the encoder is opened.
    init(
        format: String, codec name: String,
        configure: (UnsafeMutablePointer<AVCodecContext>) throws -> Void
    ) throws {
        guard let codec = avcodec_find_encoder_by_name(name) else {
            throw MediaError(.processing, "this FFmpeg was built without the encoder '\(name)'")
        }
        guard let context = avcodec_alloc_context3(codec), let packet = av_packet_alloc() else {
            throw MediaError(.processing, "out of memory for an encoder")
        }
        self.context = context
        self.packet = packet
        try check(
            avformat_alloc_output_context2(&muxer, nil, format, nil), .processing,
            "cannot write '\(format)'")
        guard let muxer, let stream = avformat_new_stream(muxer, nil) else {
            throw MediaError(.processing, "out of memory for a stream")
        }
        self.stream = stream
        try configure(context)
        // No version strings and no dates: the same pictures give the same bytes.
        context.pointee.flags |= AV_CODEC_FLAG_BITEXACT
        muxer.pointee.flags |= AVFMT_FLAG_BITEXACT
        if muxer.pointee.oformat.pointee.flags & AVFMT_GLOBALHEADER != 0 {
            context.pointee.flags |= AV_CODEC_FLAG_GLOBAL_HEADER
        }
        try check(avcodec_open2(context, codec, nil), .processing, "cannot open '\(name)'")
        try check(
            avcodec_parameters_from_context(stream.pointee.codecpar, context), .processing,
            "cannot describe the stream")
        stream.pointee.time_base = context.pointee.time_base
        stream.pointee.avg_frame_rate = context.pointee.framerate
        try check(avio_open_dyn_buf(&muxer.pointee.pb), .processing, "out of memory for output")
        try check(avformat_write_header(muxer, nil), .processing, "cannot write a header")
    }

    deinit {
        if muxer?.pointee.pb != nil { _ = takeBytes() }
        avformat_free_context(muxer)
        var freeingPacket: UnsafeMutablePointer<AVPacket>? = packet
        av_packet_free(&freeingPacket)
        var freeingContext: UnsafeMutablePointer<AVCodecContext>? = context
        avcodec_free_context(&freeingContext)
    }

    func encode(_ frame: UnsafeMutablePointer<AVFrame>?) throws {
        try check(avcodec_send_frame(context, frame), .processing, "the encoder refused a frame")
        while true {
            let status = avcodec_receive_packet(context, packet)
            if status == loopy_error_again || status == loopy_error_eof { return }
            try check(status, .processing, "encoding failed")
            av_packet_rescale_ts(packet, context.pointee.time_base, stream.pointee.time_base)
            packet.pointee.stream_index = stream.pointee.index
            try check(
                av_interleaved_write_frame(muxer, packet), .processing, "cannot write a packet")
        }
    }

    /// Ends the stream and gives the whole file.
    func finish() throws -> [UInt8] {
        try encode(nil)
        try check(av_write_trailer(muxer), .processing, "cannot finish the file")
        return takeBytes()
    }

    private func takeBytes() -> [UInt8] {
        var buffer: UnsafeMutablePointer<UInt8>?
        let count = Int(avio_close_dyn_buf(muxer?.pointee.pb, &buffer))
        muxer?.pointee.pb = nil
        defer { av_free(buffer) }
        return Array(UnsafeBufferPointer(start: buffer, count: count))
    }
}

/// 16 kHz mono samples to FLAC, 16 bits: lossless from there on.
public enum FLAC {
    /// - Parameter samples: -1...1; values beyond are clipped.
    public static func encode(_ samples: [Float]) throws -> [UInt8] {
        let encoder = try StreamEncoder(format: "flac", codec: "flac") { context in
            context.pointee.sample_fmt = AV_SAMPLE_FMT_S16
            context.pointee.sample_rate = Int32(Grid.sampleRate)
            av_channel_layout_default(&context.pointee.ch_layout, 1)
            context.pointee.time_base = AVRational(num: 1, den: Int32(Grid.sampleRate))
        }
        let chunk = Int(encoder.context.pointee.frame_size)
        guard let frame = av_frame_alloc() else {
            throw MediaError(.processing, "out of memory for a frame")
        }
        defer { free(frame) }
        for start in stride(from: 0, to: samples.count, by: chunk) {
            let count = min(chunk, samples.count - start)
            av_frame_unref(frame)
            frame.pointee.format = AV_SAMPLE_FMT_S16.rawValue
            frame.pointee.sample_rate = Int32(Grid.sampleRate)
            frame.pointee.nb_samples = Int32(count)
            frame.pointee.pts = Int64(start)
            av_channel_layout_default(&frame.pointee.ch_layout, 1)
            try check(av_frame_get_buffer(frame, 0), .processing, "out of memory for samples")
            frame.pointee.data.0!.withMemoryRebound(to: Int16.self, capacity: count) { out in
                for index in 0..<count {
                    let value = (samples[start + index] * 32768).rounded()
                    out[index] = value.isNaN ? 0 : Int16(min(max(value, -32768), 32767))
                }
            }
            try encoder.encode(frame)
        }
        return try encoder.finish()
    }
}

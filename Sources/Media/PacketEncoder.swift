import CFFmpeg
import Errors

/// A codec's encoder: frames in, packets out.
final class PacketEncoder {
    let context: UnsafeMutablePointer<AVCodecContext>
    private let packet: UnsafeMutablePointer<AVPacket>

    /// - Parameters:
    ///   - hasGlobalHeader: whether the container keeps the codec's header once, for the whole stream.
    ///   - configure: sets sizes, rates and options before the encoder is opened.
    /// - Throws: `LoopyError` `.processing`.
    init(
        codec name: String, hasGlobalHeader: Bool,
        configure: (UnsafeMutablePointer<AVCodecContext>) throws -> Void
    ) throws {
        guard let codec = avcodec_find_encoder_by_name(name) else {
            throw LoopyError(.processing, "this FFmpeg was built without the encoder '\(name)'")
        }
        guard let context = avcodec_alloc_context3(codec), let packet = av_packet_alloc() else {
            throw LoopyError(.processing, "out of memory for an encoder")
        }
        self.context = context
        self.packet = packet
        try configure(context)
        // No version strings: the same frames give the same bytes.
        context.pointee.flags |= AV_CODEC_FLAG_BITEXACT
        if hasGlobalHeader { context.pointee.flags |= AV_CODEC_FLAG_GLOBAL_HEADER }
        try check(avcodec_open2(context, codec, nil), .processing, "cannot open '\(name)'")
    }

    deinit {
        var freeingPacket: UnsafeMutablePointer<AVPacket>? = packet
        av_packet_free(&freeingPacket)
        var freeingContext: UnsafeMutablePointer<AVCodecContext>? = context
        avcodec_free_context(&freeingContext)
    }

    /// - Parameters:
    ///   - frame: nil ends the stream.
    ///   - body: gets the packets that are ready, in the context's time base; each stands until the next.
    func encode(
        _ frame: UnsafeMutablePointer<AVFrame>?,
        _ body: (UnsafeMutablePointer<AVPacket>) throws -> Void
    ) throws {
        try check(avcodec_send_frame(context, frame), .processing, "the encoder refused a frame")
        while true {
            let status = avcodec_receive_packet(context, packet)
            if status == loopy_error_again || status == loopy_error_eof { return }
            try check(status, .processing, "encoding failed")
            try body(packet)
        }
    }
}

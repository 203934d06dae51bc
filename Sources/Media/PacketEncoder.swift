import CFFmpeg
import Errors

/// A codec's encoder: frames in, packets out.
final class PacketEncoder {
    let context: CodecContext
    private let packet: Packet

    /// - Parameters:
    ///   - hasGlobalHeader: whether the container keeps the codec's header once, for the whole stream.
    ///   - configure: sets sizes, rates and options before the encoder is opened.
    /// - Throws: `LoopyError` `.processing`.
    init(
        codec name: String, hasGlobalHeader: Bool, configure: (CodecContext) throws -> Void
    ) throws {
        guard let codec = avcodec_find_encoder_by_name(name) else {
            throw LoopyError(.processing, "this FFmpeg was built without the encoder '\(name)'")
        }
        context = try CodecContext(codec)
        packet = try Packet()
        try configure(context)
        // No version strings: the same frames give the same bytes.
        context.flags |= AV_CODEC_FLAG_BITEXACT
        if hasGlobalHeader { context.flags |= AV_CODEC_FLAG_GLOBAL_HEADER }
        try check(avcodec_open2(context.pointer, codec, nil), .processing, "cannot open '\(name)'")
    }

    /// - Parameters:
    ///   - frame: nil ends the stream.
    ///   - body: gets the packets that are ready, in the context's time base; each stands until the next.
    func encode(_ frame: Frame?, _ body: (Packet) throws -> Void) throws {
        try check(context.send(frame), .processing, "the encoder refused a frame")
        while true {
            let status = context.receive(into: packet)
            if status == loopy_error_again || status == loopy_error_eof { return }
            try check(status, .processing, "encoding failed")
            try body(packet)
        }
    }
}

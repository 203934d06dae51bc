import CFFmpeg
import Errors

/// Encodes one stream into one container in memory.
final class StreamEncoder {
    let context: UnsafeMutablePointer<AVCodecContext>
    private let encoder: PacketEncoder
    private let muxer: Muxer

    /// - Parameters:
    ///   - format: the muxer's name, "mp4" or "flac".
    ///   - configure: sets sizes, rates and options before the encoder is opened.
    init(
        format: String, codec: String,
        configure: (UnsafeMutablePointer<AVCodecContext>) throws -> Void
    ) throws {
        encoder = try PacketEncoder(
            codec: codec, hasGlobalHeader: Muxer.hasGlobalHeader(format), configure: configure)
        context = encoder.context
        muxer = try Muxer(format: format)
        try muxer.addStream(of: encoder)
        try muxer.begin()
    }

    func encode(_ frame: UnsafeMutablePointer<AVFrame>?) throws {
        try encoder.encode(frame) {
            try muxer.write($0, to: 0, from: context.pointee.time_base)
        }
    }

    /// Ends the stream and gives the whole file.
    func finish() throws -> [UInt8] {
        try encode(nil)
        try muxer.end()
        return muxer.takeBytes()
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
            throw LoopyError(.processing, "out of memory for a frame")
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

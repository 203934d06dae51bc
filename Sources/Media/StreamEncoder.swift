import CFFmpeg
import Errors

/// Encodes one stream into one container in memory.
final class StreamEncoder {
    private let encoder: PacketEncoder
    private let muxer: Muxer

    /// - Parameters:
    ///   - format: the muxer's name, such as "mp4".
    ///   - configure: sets sizes, rates and options before the encoder is opened.
    init(format: String, codec: String, configure: (CodecContext) throws -> Void) throws {
        encoder = try PacketEncoder(
            codec: codec, hasGlobalHeader: Muxer.hasGlobalHeader(format), configure: configure)
        muxer = try Muxer(format: format)
        try muxer.addStream(of: encoder)
        try muxer.begin()
    }

    /// - Parameter frame: nil ends the stream.
    func encode(_ frame: Frame?) throws {
        try encoder.encode(frame) {
            try muxer.write($0, to: 0, from: encoder.context.time_base)
        }
    }

    /// Ends the stream and gives the whole file.
    func finish() throws -> [UInt8] {
        try encode(nil)
        try muxer.end()
        return muxer.takeBytes()
    }
}

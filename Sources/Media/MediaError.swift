import CFFmpeg

/// What went wrong with one media file, what was being done, and what can be done about it.
public struct MediaError: Error, CustomStringConvertible, Sendable {
    public enum Code: String, Sendable {
        /// The file cannot be opened or read.
        case unreadable
        /// The bytes are not one of the accepted media containers.
        case notMedia = "not-media"
        /// No video stream that can be decoded.
        case noVideo = "no-video"
        /// No audio stream that can be decoded.
        case noAudio = "no-audio"
        /// Declared or decoded sizes beyond the limits of the configuration.
        case tooLarge = "too-large"
        /// Streams are there, but their packets give no frames.
        case undecodable
        /// An encoder or a filter refused to work.
        case processing
    }

    public let code: Code
    public let message: String
    public let path: String

    public init(_ code: Code, _ message: String, path: String = "") {
        self.code = code
        self.message = message
        self.path = path
    }

    public var description: String { path.isEmpty ? message : "\(path): \(message)" }
}

/// FFmpeg's words for an error number.
func describe(_ status: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    av_strerror(status, &buffer, buffer.count)
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

/// Throws `MediaError` when an FFmpeg call returned an error number.
@discardableResult
func check(
    _ status: Int32, _ code: MediaError.Code, _ doing: @autoclosure () -> String,
    path: String = ""
) throws -> Int32 {
    guard status < 0 else { return status }
    throw MediaError(code, "\(doing()): \(describe(status))", path: path)
}

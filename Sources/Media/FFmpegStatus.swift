import CFFmpeg
import Errors

/// Lets FFmpeg, and x264 within it, print nothing: what matters of their messages is in the errors that
/// are thrown. It holds for the whole process, and is for executables to call.
public func silenceFFmpeg() { av_log_set_level(AV_LOG_QUIET) }

/// FFmpeg's words for an error number.
func describe(_ status: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    av_strerror(status, &buffer, buffer.count)
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

/// Throws `LoopyError` when an FFmpeg call returned an error number.
@discardableResult
func check(
    _ status: Int32, _ category: LoopyError.Category, _ doing: @autoclosure () -> String,
    path: String? = nil
) throws -> Int32 {
    guard status < 0 else { return status }
    throw LoopyError(category, "\(doing()): \(describe(status))", path: path)
}

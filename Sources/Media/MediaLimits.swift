import Errors

/// What a file may declare before it is refused, so that a hostile or broken header cannot make the
/// machine allocate or wait without end.
public struct MediaLimits: Codable, Sendable, Equatable {
    /// The longest side that a picture may have, in pixels.
    public var maximumSide = 8192
    /// The longest that a file may last, in seconds.
    public var maximumDuration = 6.0 * 3600
    /// How many bytes of the file's beginning are read to find out what its streams are.
    public var probeBytes = 20_000_000
    /// How many seconds of it are.
    public var probeSeconds = 10.0

    public init() {}

    /// - Throws: `LoopyError` `.tooLarge` when a file says that it lasts longer than the limit.
    func check(declared seconds: Double, path: String) throws {
        guard seconds > maximumDuration else { return }
        throw LoopyError(
            .tooLarge,
            "declares \(Int(seconds)) s; the limit is \(Int(maximumDuration)) s "
                + "(limits.maximum_duration)",
            path: path)
    }
}

/// Only these demuxers are offered to a file. Playlists, concat scripts, manifests and image
/// patterns are not among them, because they name other files and addresses.
let acceptedContainers = [
    "mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "mpegts", "mpeg",
    "mpegvideo", "flv", "live_flv", "asf", "ogg", "mxf", "gxf", "ivf", "dv", "nut", "rm", "wtv",
    "h264", "hevc", "m4v", "wav", "w64", "flac", "mp3", "aac", "aiff", "au", "caf", "amr",
]

/// Demuxers of single pictures; none of them reads a second file.
let acceptedPictures = [
    "bmp_pipe", "gif", "j2k_pipe", "jpeg_pipe", "jpegls_pipe", "jpegxl_pipe", "pam_pipe",
    "pgm_pipe",
    "png_pipe", "ppm_pipe", "psd_pipe", "qoi_pipe", "sgi_pipe", "sunrast_pipe", "tiff_pipe",
    "webp_pipe", "xpm_pipe",
]

/// What a file may declare before it is refused, so that a hostile or broken header cannot make the
/// machine allocate or wait without end.
public struct MediaLimits: Codable, Sendable, Equatable {
    /// Longest side of a picture, in pixels.
    public var maximumSide = 8192
    /// Longest duration, in seconds.
    public var maximumDuration = 6.0 * 3600
    /// Bytes and seconds of the file's beginning read to find out what its streams are.
    public var probeBytes = 20_000_000
    public var probeSeconds = 10.0

    public init() {}
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

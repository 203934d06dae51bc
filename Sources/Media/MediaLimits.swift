import Errors
import Settings

/// What a file may declare before it is refused, so that a hostile or broken header cannot make the
/// machine allocate or wait without end.
public struct MediaLimits: DescribedSettings, Equatable {
    public var maximumSide = 8192
    public var maximumDuration = 6.0 * 3600
    public var probeBytes = 20_000_000
    public var probeSeconds = 10.0

    public init() {}

    /// The limits for single pictures, which the largest cameras keep.
    public static var ofPictures: MediaLimits {
        var limits = MediaLimits()
        limits.maximumSide = 20_000
        return limits
    }

    public static var settings: [Setting<MediaLimits>] {
        [
            .number(
                "maximum_side", \.maximumSide, in: 16...32_768, unit: "pixels",
                "The longest side that a picture may have."),
            .number(
                "maximum_duration", \.maximumDuration, in: 0.04...1e6, unit: "s",
                "The longest time that a file may last."),
            .number(
                "probe_bytes", \.probeBytes, in: 2048...2_000_000_000, unit: "bytes",
                "The part of the file's beginning that is read to find out what its streams are."),
            .number(
                "probe_seconds", \.probeSeconds, in: 0.01...3600, unit: "s",
                "The time from the file's beginning that is read to find out what its streams are."),
        ]
    }

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

import CFFmpeg
import Errors
import Settings

/// How the pictures of a clip are encoded.
public struct VideoEncoding: DescribedSettings, Equatable {
    public var size = 512
    public var crf = 17
    public var preset = "fast"
    public var keyframeInterval = 25
    public var threads = 2

    public init() {}

    public static var settings: [Setting<VideoEncoding>] {
        [
            .number(
                "size", \.size, in: 16...8192, unit: "pixels",
                "The side of the square video, an even number."),
            .number(
                "crf", \.crf, in: 0...51, "x264's constant rate factor: lower is better and larger."
            ),
            .choice(
                "preset", \.preset, of: presets, "x264's preset: slower makes smaller files."),
            .number(
                "keyframe_interval", \.keyframeInterval, in: 1...10_000, unit: "pictures",
                "Pictures from one key frame to the next; few, because training reads windows."),
            .number(
                "threads", \.threads, in: 0...128, unit: "threads",
                "x264's threads. Its bytes depend on their number, so it is no matter of the machine; "
                    + "0 leaves it to x264."),
        ]
    }

    private static let presets = [
        "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower",
        "veryslow", "placebo",
    ]

    public var conflict: String? {
        size.isMultiple(of: 2) ? nil : "size: \(size) is odd, and chroma has half the resolution"
    }
}

extension VideoEncoding {
    /// Opens an encoder and lets it go: what x264 does not know is better said before the first clip.
    ///
    /// - Throws: `LoopyError` `.processing`.
    public func check() throws { _ = try makeEncoder(matrix: "bt709") }

    fileprivate func makeEncoder(matrix: String) throws -> StreamEncoder {
        try StreamEncoder(format: "mp4", codec: "libx264", configure: configuration(matrix))
    }

    /// What x264 is told.
    ///
    /// - Parameter matrix: "bt709" or "bt601": what the colours are coded with.
    func configuration(_ matrix: String) -> (CodecContext) throws -> Void {
        { context in
            context.width = Int32(size)
            context.height = Int32(size)
            context.pix_fmt = AV_PIX_FMT_YUV420P
            context.time_base = Grid.timeBase
            context.framerate = Grid.timeBase.inverted
            context.gop_size = Int32(keyframeInterval)
            // Pictures in decoding order: no reader needs an edit list to find picture n.
            context.max_b_frames = 0
            context.thread_count = Int32(threads)
            context.colorspace = matrix == "bt709" ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M
            context.color_primaries = AVCOL_PRI_BT709
            context.color_trc = AVCOL_TRC_BT709
            context.color_range = AVCOL_RANGE_MPEG
            try Media.check(
                av_opt_set(context.priv_data, "preset", preset, 0), .processing,
                "x264 has no preset '\(preset)'")
            av_opt_set(context.priv_data, "crf", String(crf), 0)
        }
    }
}

/// Cuts one fixed square out of upright pictures and encodes H.264 in MP4, exactly one picture for each
/// one added, at 25 fps.
///
/// Colours keep the matrix of the source, and the file says which it is: converting from one matrix
/// to another would cost more than all the rest, and rounding.
public final class ClipEncoder {
    private let encoding: VideoEncoding
    private let cutter: SquareCutter
    private var encoder: StreamEncoder?
    private var last: Frame?
    private var lastSource: VideoFrame?
    public private(set) var frameCount = 0

    public init(crop: CropSquare, encoding: VideoEncoding) {
        self.encoding = encoding
        cutter = SquareCutter(crop, size: encoding.size, threads: encoding.threads)
    }

    public func add(_ picture: VideoFrame) throws {
        if picture !== lastSource {
            last = try cutter.cut(picture)
            lastSource = picture
        }
        guard let last else { return }
        let encoder = try self.encoder ?? encoding.makeEncoder(matrix: cutter.matrixName)
        self.encoder = encoder
        last.pts = Int64(frameCount)
        last.pict_type = AV_PICTURE_TYPE_NONE
        try encoder.encode(last)
        frameCount += 1
    }

    /// The MP4 file. Call once, after the last picture.
    public func finish() throws -> [UInt8] {
        guard let encoder else { throw LoopyError(.processing, "a clip without pictures") }
        return try encoder.finish()
    }
}

import CFFmpeg

/// How the pictures of a clip are encoded.
public struct VideoEncoding: Codable, Sendable, Equatable {
    /// Side of the square output, in pixels.
    public var size = 512
    /// x264's constant rate factor: lower is better and larger.
    public var crf = 17
    public var preset = "fast"
    /// Pictures from one key frame to the next: training reads windows, so it is short.
    public var keyframeInterval = 25
    /// x264's bytes depend on its number of threads, so it is a setting and not the machine's.
    public var threads = 2

    public init() {}
}

extension VideoEncoding {
    /// Opens an encoder and lets it go: what x264 does not know is better said before the first clip.
    ///
    /// - Throws: `MediaError` `.processing`.
    public func check() throws { _ = try makeEncoder(matrix: "bt709") }

    /// - Parameter matrix: "bt709" or "bt601": what the colours are coded with.
    fileprivate func makeEncoder(matrix: String) throws -> StreamEncoder {
        try StreamEncoder(format: "mp4", codec: "libx264") { context in
            context.pointee.width = Int32(size)
            context.pointee.height = Int32(size)
            context.pointee.pix_fmt = AV_PIX_FMT_YUV420P
            context.pointee.time_base = Grid.timeBase
            context.pointee.framerate = Grid.timeBase.inverted
            context.pointee.gop_size = Int32(keyframeInterval)
            // Pictures in decoding order: no reader needs an edit list to find picture n.
            context.pointee.max_b_frames = 0
            context.pointee.thread_count = Int32(threads)
            context.pointee.colorspace = matrix == "bt709" ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M
            context.pointee.color_primaries = AVCOL_PRI_BT709
            context.pointee.color_trc = AVCOL_TRC_BT709
            context.pointee.color_range = AVCOL_RANGE_MPEG
            try Media.check(
                av_opt_set(context.pointee.priv_data, "preset", preset, 0), .processing,
                "x264 has no preset '\(preset)'")
            av_opt_set(context.pointee.priv_data, "crf", String(crf), 0)
        }
    }
}

/// A square of the upright picture, in its pixels; it may reach outside the picture.
public struct CropSquare: Codable, Sendable, Equatable {
    public var x: Int
    public var y: Int
    public var side: Int

    public init(x: Int, y: Int, side: Int) {
        (self.x, self.y, self.side) = (x, y, side)
    }
}

/// Cuts one fixed square out of upright pictures, scales it (Lanczos) and encodes H.264 in MP4,
/// exactly one picture for each one added, at 25 fps. What lies outside the picture is black.
///
/// Colours keep the matrix of the source, and the file says which it is: converting from one matrix
/// to another would cost more than all the rest, and rounding.
public final class ClipEncoder {
    private let crop: CropSquare
    private let encoding: VideoEncoding
    private var encoder: StreamEncoder?
    /// The first picture's: a file has one matrix, whatever its pictures change to.
    private var matrixName: String?
    private var graph: FilterGraph?
    private var graphChain = ""
    private var last: UnsafeMutablePointer<AVFrame>?
    private var lastSource: VideoFrame?
    public private(set) var frameCount = 0

    public init(crop: CropSquare, encoding: VideoEncoding) {
        self.crop = crop
        self.encoding = encoding
    }

    deinit { if let last { free(last) } }

    public func add(_ picture: VideoFrame) throws {
        let matrix = matrixName ?? picture.clipMatrixName
        matrixName = matrix
        if picture !== lastSource {
            let next = try filtered(picture, matrix: matrix)
            if let last { free(last) }
            last = next
            lastSource = picture
        }
        guard let last else { return }
        let encoder = try self.encoder ?? encoding.makeEncoder(matrix: matrix)
        self.encoder = encoder
        last.pointee.pts = Int64(frameCount)
        last.pointee.pict_type = AV_PICTURE_TYPE_NONE
        try encoder.encode(last)
        frameCount += 1
    }

    /// The MP4 file. Call once, after the last picture.
    public func finish() throws -> [UInt8] {
        guard let encoder else { throw MediaError(.processing, "a clip without pictures") }
        return try encoder.finish()
    }

    private func filtered(
        _ picture: VideoFrame, matrix: String
    ) throws -> UnsafeMutablePointer<AVFrame> {
        let chain = try filters(for: picture, matrix: matrix)
        if graph?.accepts(picture.frame.pointee) != true || graphChain != chain {
            graph = try FilterGraph(
                chain, like: picture.frame.pointee, timeBase: Grid.timeBase,
                threads: encoding.threads)
            graphChain = chain
        }
        // Others may be looking at the picture: it is numbered on a reference of its own.
        guard let frame = av_frame_clone(picture.frame) else {
            throw MediaError(.processing, "out of memory for a picture")
        }
        defer { free(frame) }
        frame.pointee.pts = Int64(frameCount)
        let ready = try graph!.push(frame)  // made above where it was missing
        for extra in ready.dropFirst() { free(extra) }
        guard let first = ready.first else {
            throw MediaError(.processing, "the crop filters gave no picture")
        }
        return first
    }

    /// Crop in the coded picture, scale, then turn the small result upright and pad it.
    private func filters(for picture: VideoFrame, matrix: String) throws -> String {
        let orientation = picture.orientation
        let left = max(0, crop.x), right = min(picture.width, crop.x + crop.side)
        let top = max(0, crop.y), bottom = min(picture.height, crop.y + crop.side)
        guard left < right, top < bottom else {
            throw MediaError(.processing, "the crop lies outside the picture")
        }
        let a = orientation.uprightToCoded(Double(left), Double(top))
        let b = orientation.uprightToCoded(Double(right), Double(bottom))
        let codedWidth = Int(picture.frame.pointee.width)
        let codedHeight = Int(picture.frame.pointee.height)
        let x = min(Int(min(a.x, b.x).rounded()), codedWidth - 1)
        let y = min(Int(min(a.y, b.y).rounded()), codedHeight - 1)
        let width = min(max(1, Int(abs(a.x - b.x).rounded())), codedWidth - x)
        let height = min(max(1, Int(abs(a.y - b.y).rounded())), codedHeight - y)

        // The part inside the picture, in output pixels, on the chroma grid.
        let scale = Double(encoding.size) / Double(crop.side)
        func even(_ value: Double) -> Int { Int((value / 2).rounded()) * 2 }
        let insideX = min(even(Double(left - crop.x) * scale), encoding.size - 2)
        let insideY = min(even(Double(top - crop.y) * scale), encoding.size - 2)
        let insideWidth = min(max(2, even(Double(right - left) * scale)), encoding.size - insideX)
        let insideHeight = min(max(2, even(Double(bottom - top) * scale)), encoding.size - insideY)
        let turned = orientation.uprightToCoded.xy != 0
        let (scaledWidth, scaledHeight) =
            turned ? (insideHeight, insideWidth) : (insideWidth, insideHeight)

        var chain = ["crop=\(width):\(height):\(x):\(y):exact=1"]
        if picture.isHighDynamicRange, avfilter_get_by_name("zscale") != nil {
            // Scaled first: zscale refuses subsampled pictures of odd sizes.
            chain += [
                "scale=\(scaledWidth):\(scaledHeight):flags=lanczos+accurate_rnd",
                "format=yuv444p10le" + picture.missingHighDynamicRangeLabels,
                "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709",
                "tonemap=mobius:desat=0,zscale=t=bt709:m=\(matrix == "bt709" ? "bt709" : "170m"):r=tv",
            ]
        } else {
            let flags = "lanczos+accurate_rnd+full_chroma_int"
            chain.append(
                "scale=\(scaledWidth):\(scaledHeight):flags=\(flags)"
                    + ":in_color_matrix=\(picture.colourMatrixName)"
                    + ":out_color_matrix=\(matrix):out_range=tv")
        }
        chain.append("format=yuv420p")
        if !orientation.uprightFilters.isEmpty { chain.append(orientation.uprightFilters) }
        if insideWidth != encoding.size || insideHeight != encoding.size {
            chain.append("pad=\(encoding.size):\(encoding.size):\(insideX):\(insideY):black")
        }
        chain.append("setsar=1")
        return chain.joined(separator: ",")
    }
}

extension VideoFrame {
    /// The matrix that the pictures were coded with, as swscale names it; pictures that do not say
    /// are taken as players take them, by their height.
    var colourMatrixName: String {
        switch frame.pointee.colorspace {
        case AVCOL_SPC_BT709: "bt709"
        case AVCOL_SPC_BT2020_NCL, AVCOL_SPC_BT2020_CL: "bt2020"
        case AVCOL_SPC_UNSPECIFIED where frame.pointee.height >= 720: "bt709"
        default: "bt601"
        }
    }

    /// The matrix of clips cut from this picture: its own, or BT.709 for those that few readers of
    /// H.264 know.
    fileprivate var clipMatrixName: String {
        isHighDynamicRange || colourMatrixName == "bt2020" ? "bt709" : colourMatrixName
    }

    /// A filter that adds what a picture of high dynamic range does not say of itself, because
    /// zscale guesses nothing; empty where everything is said.
    fileprivate var missingHighDynamicRangeLabels: String {
        var labels: [String] = []
        if frame.pointee.colorspace == AVCOL_SPC_UNSPECIFIED {
            labels.append("colorspace=bt2020nc")
        }
        if frame.pointee.color_primaries == AVCOL_PRI_UNSPECIFIED {
            labels.append("color_primaries=bt2020")
        }
        if frame.pointee.color_range == AVCOL_RANGE_UNSPECIFIED { labels.append("range=tv") }
        return labels.isEmpty ? "" : ",setparams=" + labels.joined(separator: ":")
    }
}

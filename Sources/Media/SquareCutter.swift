import CFFmpeg
import Errors

/// A square of the upright picture, in its pixels; it may reach outside the picture.
public struct CropSquare: Codable, Sendable, Equatable {
    public var x: Int
    public var y: Int
    public var side: Int

    public init(x: Int, y: Int, side: Int) {
        (self.x, self.y, self.side) = (x, y, side)
    }
}

/// Cuts one fixed square out of upright pictures and scales it (Lanczos). What lies outside the picture
/// is black.
final class SquareCutter {
    private let crop: CropSquare
    private let size: Int
    private let threads: Int
    /// The first picture's matrix: the results have one, whatever the pictures change to.
    private(set) var matrixName = ""
    private var graph: FilterGraph?
    private var graphChain = ""
    private var count = 0

    /// - Parameter size: the side of the results, in pixels.
    init(_ crop: CropSquare, size: Int, threads: Int) {
        self.crop = crop
        self.size = size
        self.threads = threads
    }

    /// - Returns: a picture in yuv420p.
    /// - Throws: `LoopyError` `.processing`.
    func cut(_ picture: VideoFrame) throws -> Frame {
        if matrixName.isEmpty { matrixName = picture.clipMatrixName }
        let chain = try filters(for: picture)
        if graph?.accepts(picture.frame) != true || graphChain != chain {
            graph = try FilterGraph(
                chain, like: picture.frame, timeBase: Grid.timeBase, threads: threads)
            graphChain = chain
        }
        // Others may be looking at the picture: it is numbered on a reference of its own.
        let frame = try picture.frame.reference()
        frame.pts = Int64(count)
        count += 1
        guard let first = try graph!.push(frame).first else {  // made above where it was missing
            throw LoopyError(.processing, "the crop filters gave no picture")
        }
        return first
    }

    /// Crop in the coded picture, scale, then turn the small result upright and pad it.
    private func filters(for picture: VideoFrame) throws -> String {
        let orientation = picture.orientation
        let left = max(0, crop.x), right = min(picture.width, crop.x + crop.side)
        let top = max(0, crop.y), bottom = min(picture.height, crop.y + crop.side)
        guard left < right, top < bottom else {
            throw LoopyError(.processing, "the crop lies outside the picture")
        }
        let a = orientation.uprightToCoded(Double(left), Double(top))
        let b = orientation.uprightToCoded(Double(right), Double(bottom))
        let codedWidth = Int(picture.frame.width)
        let codedHeight = Int(picture.frame.height)
        let x = min(Int(min(a.x, b.x).rounded()), codedWidth - 1)
        let y = min(Int(min(a.y, b.y).rounded()), codedHeight - 1)
        let width = min(max(1, Int(abs(a.x - b.x).rounded())), codedWidth - x)
        let height = min(max(1, Int(abs(a.y - b.y).rounded())), codedHeight - y)

        // The part inside the picture, in output pixels, on the chroma grid.
        let scale = Double(size) / Double(crop.side)
        func even(_ value: Double) -> Int { Int((value / 2).rounded()) * 2 }
        let insideX = min(even(Double(left - crop.x) * scale), size - 2)
        let insideY = min(even(Double(top - crop.y) * scale), size - 2)
        let insideWidth = min(max(2, even(Double(right - left) * scale)), size - insideX)
        let insideHeight = min(max(2, even(Double(bottom - top) * scale)), size - insideY)
        let turned = orientation.uprightToCoded.xy != 0
        let (scaledWidth, scaledHeight) =
            turned ? (insideHeight, insideWidth) : (insideWidth, insideHeight)

        var chain = ["crop=\(width):\(height):\(x):\(y):exact=1"]
        if picture.isHighDynamicRange, avfilter_get_by_name("zscale") != nil {
            // Scaled first: zscale refuses subsampled pictures of odd sizes.
            chain += [
                "scale=\(scaledWidth):\(scaledHeight):flags=lanczos+accurate_rnd"
                    + (picture.isRGB ? ":out_color_matrix=bt2020:out_range=tv" : ""),
                "format=yuv444p10le" + picture.missingHighDynamicRangeLabels,
                "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709",
                "tonemap=mobius:desat=0,zscale=t=bt709:m=\(matrixName == "bt709" ? "bt709" : "170m"):r=tv",
            ]
        } else {
            let flags = "lanczos+accurate_rnd+full_chroma_int"
            chain.append(
                "scale=\(scaledWidth):\(scaledHeight):flags=\(flags)"
                    + ":in_color_matrix=\(picture.colourStandard.name)"
                    + ":out_color_matrix=\(matrixName):out_range=tv")
        }
        chain.append("format=yuv420p")
        if !orientation.uprightFilters.isEmpty { chain.append(orientation.uprightFilters) }
        if insideWidth != size || insideHeight != size {
            chain.append("pad=\(size):\(size):\(insideX):\(insideY):black")
        }
        chain.append("setsar=1")
        return chain.joined(separator: ",")
    }
}

extension VideoFrame {
    /// The matrix that the pictures were coded with. RGB has none, and clips of it get BT.601.
    fileprivate var colourStandard: ColourStandard { isRGB ? .bt601 : ColourStandard(frame) }

    /// The matrix of clips cut from this picture: its own, or BT.709 for those that few readers of
    /// H.264 know.
    fileprivate var clipMatrixName: String {
        isHighDynamicRange || colourStandard == .bt2020 ? "bt709" : colourStandard.name
    }

    /// A filter that adds what a picture of high dynamic range does not say of itself, because
    /// zscale guesses nothing; empty where everything is said.
    fileprivate var missingHighDynamicRangeLabels: String {
        var labels: [String] = []
        if frame.colorspace == AVCOL_SPC_UNSPECIFIED || isRGB {
            labels.append("colorspace=bt2020nc")
        }
        if frame.color_primaries == AVCOL_PRI_UNSPECIFIED {
            labels.append("color_primaries=bt2020")
        }
        if frame.color_range == AVCOL_RANGE_UNSPECIFIED || isRGB { labels.append("range=tv") }
        return labels.isEmpty ? "" : ",setparams=" + labels.joined(separator: ":")
    }
}

extension VideoFrame {
    /// A square of the picture, as clips are cut out of videos.
    ///
    /// - Parameter size: the side of the result, in pixels.
    /// - Throws: `LoopyError` `.processing`.
    public func cut(_ crop: CropSquare, size: Int) throws -> VideoFrame {
        let cutter = SquareCutter(crop, size: size, threads: 1)
        let picture = try cutter.cut(self)
        picture.colorspace =
            cutter.matrixName == "bt709" ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M
        picture.color_range = AVCOL_RANGE_MPEG
        return VideoFrame(
            picture,
            orientation: Orientation(
                codedWidth: size, codedHeight: size, matrix: nil, pixelAspect: 1))
    }
}

import CFFmpeg
import Errors

/// Whole pictures as 8-bit RGB, as swscale converts them: the numbers that the ffmpeg command and PyAV
/// give. Belongs to one thread at a time.
public final class RGBConverter {
    private var context: OpaquePointer?
    /// The picture that was converted last.
    private var packed: UnsafeMutablePointer<AVFrame>?

    public init() {}

    deinit {
        sws_freeContext(context)
        av_frame_free(&packed)
    }

    /// - Parameter rgb: filled with the upright picture, `[height, width, 3]`.
    /// - Throws: `LoopyError` `.undecodable` for a picture that cannot be converted.
    public func convert(
        _ frame: VideoFrame, into rgb: UnsafeMutableBufferPointer<UInt8>
    ) throws {
        precondition(
            rgb.count >= frame.width * frame.height * 3, "the buffer is smaller than the picture")
        guard frame.isCodedUpright else { return turn(frame, into: rgb) }
        let coded = frame.frame
        let (width, height) = (coded.pointee.width, coded.pointee.height)
        context = sws_getCachedContext(
            context, width, height, AVPixelFormat(coded.pointee.format), width, height,
            AV_PIX_FMT_RGB24, Int32(SWS_BICUBIC), nil, nil, nil)
        guard let context else {
            throw LoopyError(.undecodable, "has pictures that cannot be converted to RGB")
        }
        let matrix = sws_getCoefficients(frame.colourMatrix)
        let range: Int32 = VideoFrame.isFullRange(coded.pointee) ? 1 : 0
        let neutral: Int32 = 1 << 16  // contrast and saturation, 16.16
        sws_setColorspaceDetails(context, matrix, range, matrix, 1, 0, neutral, neutral)
        // Into rows as FFmpeg lays them out: how swscale rounds depends on where a row begins.
        let rows = try packedRows(width, height)
        guard sws_scale_frame(context, rows, coded) >= 0, let data = rows.pointee.data.0 else {
            throw LoopyError(.undecodable, "has pictures that cannot be converted to RGB")
        }
        let rowBytes = Int(width) * 3
        for row in 0..<Int(height) {
            (rgb.baseAddress! + row * rowBytes).update(  // large enough, as checked above
                from: data + row * Int(rows.pointee.linesize.0), count: rowBytes)
        }
    }

    private func packedRows(
        _ width: Int32, _ height: Int32
    ) throws -> UnsafeMutablePointer<AVFrame> {
        if let packed, packed.pointee.width == width, packed.pointee.height == height {
            return packed
        }
        av_frame_free(&packed)
        guard let made = av_frame_alloc() else {
            throw LoopyError(.processing, "out of memory for a picture")
        }
        packed = made
        made.pointee.format = AV_PIX_FMT_RGB24.rawValue
        (made.pointee.width, made.pointee.height) = (width, height)
        try check(av_frame_get_buffer(made, 0), .processing, "out of memory for a picture")
        return made
    }

    /// A picture that is stored turned, mirrored or stretched.
    private func turn(_ frame: VideoFrame, into rgb: UnsafeMutableBufferPointer<UInt8>) {
        let values = [Float](unsafeUninitializedCapacity: frame.width * frame.height * 3) {
            frame.sample(.identity, width: frame.width, height: frame.height, into: $0)
            $1 = $0.count
        }
        for (place, value) in values.enumerated() { rgb[place] = UInt8(value.rounded()) }
    }
}

extension VideoFrame {
    /// Whether the picture is stored as it is shown.
    fileprivate var isCodedUpright: Bool {
        orientation.uprightToCoded == .identity && width == Int(frame.pointee.width)
            && height == Int(frame.pointee.height)
    }

    /// For `sws_getCoefficients`. As everywhere here, pictures that do not say are BT.709 from 720 rows.
    fileprivate var colourMatrix: Int32 {
        switch frame.pointee.colorspace {
        case AVCOL_SPC_UNSPECIFIED: frame.pointee.height >= 720 ? SWS_CS_ITU709 : SWS_CS_DEFAULT
        case AVCOL_SPC_BT2020_NCL, AVCOL_SPC_BT2020_CL: SWS_CS_BT2020
        case AVCOL_SPC_BT709: SWS_CS_ITU709
        default: SWS_CS_DEFAULT
        }
    }
}

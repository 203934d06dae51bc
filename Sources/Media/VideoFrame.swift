import CFFmpeg

/// One decoded picture as the decoder left it, with the way to look at it upright.
public final class VideoFrame: @unchecked Sendable {
    // Unchecked: a frame is never written to after its reader has handed it out.
    let frame: UnsafeMutablePointer<AVFrame>
    public let orientation: Orientation

    /// Takes over `frame` and frees it in the end.
    init(taking frame: UnsafeMutablePointer<AVFrame>, orientation: Orientation) {
        self.frame = frame
        self.orientation = orientation
    }

    deinit {
        var freeing: UnsafeMutablePointer<AVFrame>? = frame
        av_frame_free(&freeing)
    }

    /// Size of the upright picture, in square pixels.
    public var width: Int { orientation.width }
    public var height: Int { orientation.height }

    /// True when the decoder had to guess parts of the picture.
    public var isDamaged: Bool {
        frame.pointee.flags & AV_FRAME_FLAG_CORRUPT != 0 || frame.pointee.decode_error_flags != 0
    }

    /// True for PQ and HLG transfer curves, whose brightness must be mapped before 8-bit encoding.
    var isHighDynamicRange: Bool {
        frame.pointee.color_trc == AVCOL_TRC_SMPTE2084
            || frame.pointee.color_trc == AVCOL_TRC_ARIB_STD_B67
    }
}

/// One of the three components (Y, Cb, Cr) of a picture, wherever its format keeps it.
struct ComponentPlane {
    let base: UnsafeRawPointer
    /// Bytes from one row, and from one sample, to the next.
    let rowBytes: Int
    let step: Int
    let width: Int
    let height: Int
    /// log2 of luma samples a sample of this component, across and down.
    let shiftX: Int
    let shiftY: Int
    let bytesPerSample: Int
    /// Factor from stored values to those of 8 bits.
    let scale: Float
}

extension VideoFrame {
    /// The three planes, or nil for formats that do not store Y, Cb, Cr in whole bytes
    /// (the reader converts those before it hands them out).
    static func planes(of frame: UnsafeMutablePointer<AVFrame>) -> [ComponentPlane]? {
        let format = AVPixelFormat(frame.pointee.format)
        guard isReadable(format), let descriptor = av_pix_fmt_desc_get(format) else { return nil }
        let components = [
            descriptor.pointee.comp.0, descriptor.pointee.comp.1, descriptor.pointee.comp.2,
        ]
        let data = [
            frame.pointee.data.0, frame.pointee.data.1, frame.pointee.data.2, frame.pointee.data.3,
        ]
        let strides = [
            frame.pointee.linesize.0, frame.pointee.linesize.1, frame.pointee.linesize.2,
            frame.pointee.linesize.3,
        ]
        let isFullRange = isFullRange(frame.pointee)
        return (0..<(isGray(format) ? 1 : 3)).map { index in
            let component = components[index]
            let chroma = index > 0
            let shiftX = chroma ? Int(descriptor.pointee.log2_chroma_w) : 0
            let shiftY = chroma ? Int(descriptor.pointee.log2_chroma_h) : 0
            let plane = Int(component.plane)
            // Nominal levels of deeper formats are those of 8 bits shifted up (16 is 64 of 10 bits);
            // only full-range luma ends at the last value instead.
            let depth = Int(component.depth)
            let unit =
                isFullRange && !chroma ? Float((1 << depth) - 1) / 255 : Float(1 << depth) / 256
            return ComponentPlane(
                base: UnsafeRawPointer(data[plane]!) + Int(component.offset),
                rowBytes: Int(strides[plane]), step: Int(component.step),
                width: (Int(frame.pointee.width) + (1 << shiftX) - 1) >> shiftX,
                height: (Int(frame.pointee.height) + (1 << shiftY) - 1) >> shiftY,
                shiftX: shiftX, shiftY: shiftY,
                bytesPerSample: depth + Int(component.shift) > 8 ? 2 : 1,
                scale: 1 / (unit * Float(1 << Int(component.shift))))
        }
    }

    static func isReadable(_ format: AVPixelFormat) -> Bool {
        guard let descriptor = av_pix_fmt_desc_get(format) else { return false }
        let refused =
            AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM
            | AV_PIX_FMT_FLAG_BE | AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_HWACCEL
            | AV_PIX_FMT_FLAG_BAYER
        // CIE XYZ carries no flag of its own.
        return descriptor.pointee.flags & UInt64(refused) == 0 && format != AV_PIX_FMT_XYZ12LE
    }

    /// True for formats that store Y, Cb and Cr, whatever their layout.
    static func isColourDifference(_ format: AVPixelFormat) -> Bool {
        guard let descriptor = av_pix_fmt_desc_get(format) else { return false }
        let others = AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BAYER
        return descriptor.pointee.flags & UInt64(others) == 0 && !isGray(format)
            && format != AV_PIX_FMT_XYZ12LE && format != AV_PIX_FMT_XYZ12BE
    }

    /// One component, or two with alpha.
    static func isGray(_ format: AVPixelFormat) -> Bool {
        av_pix_fmt_desc_get(format).map { $0.pointee.nb_components < 3 } ?? false
    }

    /// Whether luma spans all values. As in swscale, gray does unless it says otherwise.
    static func isFullRange(_ frame: AVFrame) -> Bool {
        let format = AVPixelFormat(frame.format)
        switch frame.color_range {
        case AVCOL_RANGE_JPEG: return true
        case AVCOL_RANGE_MPEG: return false
        default:
            return isGray(format)
                || [
                    AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUVJ444P,
                    AV_PIX_FMT_YUVJ440P, AV_PIX_FMT_YUVJ411P,
                ].contains(format)
        }
    }
}

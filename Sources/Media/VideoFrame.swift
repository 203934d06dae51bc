import CFFmpeg

/// One decoded picture as the decoder left it, with the way to look at it upright.
public final class VideoFrame: @unchecked Sendable {
    // Unchecked: a frame is never written to after its reader has handed it out.
    let frame: Frame
    public let orientation: Orientation

    init(_ frame: Frame, orientation: Orientation) {
        self.frame = frame
        self.orientation = orientation
    }

    /// The width of the upright picture, in square pixels.
    public var width: Int { orientation.width }
    /// The height of the upright picture, in square pixels.
    public var height: Int { orientation.height }

    /// True when the decoder had to guess parts of the picture.
    public var isDamaged: Bool {
        frame.flags & AV_FRAME_FLAG_CORRUPT != 0 || frame.decode_error_flags != 0
    }

    /// True for PQ and HLG transfer curves, whose brightness must be mapped before 8-bit encoding.
    var isHighDynamicRange: Bool {
        frame.color_trc == AVCOL_TRC_SMPTE2084 || frame.color_trc == AVCOL_TRC_ARIB_STD_B67
    }

    /// True for pictures that store red, green and blue.
    var isRGB: Bool { frame.pixelFormat.has(AV_PIX_FMT_FLAG_RGB) }
}

/// One of the components of a picture (Y, Cb and Cr, or R, G and B), wherever its format keeps it.
struct ComponentPlane {
    let base: UnsafeRawPointer
    /// The number of bytes from one row to the next.
    let rowBytes: Int
    /// The number of bytes from one sample to the next.
    let step: Int
    let width: Int
    let height: Int
    /// log2 of the number of luma samples for each sample of this component, across and down.
    let shiftX: Int
    let shiftY: Int
    let bytesPerSample: Int
    /// The factor from stored values to those of 8 bits.
    let scale: Float
}

extension VideoFrame {
    /// The three planes, or the one of gray pictures; they stand as long as the frame.
    var planes: [ComponentPlane] {
        let format = frame.pixelFormat
        guard format.isReadable, let descriptor = av_pix_fmt_desc_get(format)?.pointee else {
            preconditionFailure("readers hand out only formats that have planes")
        }
        let components = [descriptor.comp.0, descriptor.comp.1, descriptor.comp.2]
        let data = [frame.data.0, frame.data.1, frame.data.2, frame.data.3]
        let strides = [
            frame.linesize.0, frame.linesize.1, frame.linesize.2, frame.linesize.3,
        ]
        return (0..<(format.isGray ? 1 : 3)).map { index in
            let component = components[index]
            let chroma = index > 0 && !isRGB
            let shiftX = chroma ? Int(descriptor.log2_chroma_w) : 0
            let shiftY = chroma ? Int(descriptor.log2_chroma_h) : 0
            let plane = Int(component.plane)
            // Nominal levels of deeper formats are those of 8 bits shifted up (16 is 64 of 10 bits);
            // only full-range luma, and RGB, end at the last value instead.
            let depth = Int(component.depth)
            let endsAtLast = isRGB || (frame.isFullRange && !chroma)
            let unit = endsAtLast ? Float((1 << depth) - 1) / 255 : Float(1 << depth) / 256
            return ComponentPlane(
                // A decoded picture has all planes of its format.
                base: UnsafeRawPointer(data[plane]!) + Int(component.offset),
                rowBytes: Int(strides[plane]), step: Int(component.step),
                width: (Int(frame.width) + (1 << shiftX) - 1) >> shiftX,
                height: (Int(frame.height) + (1 << shiftY) - 1) >> shiftY,
                shiftX: shiftX, shiftY: shiftY,
                bytesPerSample: depth + Int(component.shift) > 8 ? 2 : 1,
                scale: 1 / (unit * Float(1 << Int(component.shift))))
        }
    }
}

extension Owned where Object == AVFrame {
    /// Whether luma spans all values. As in swscale, gray does unless it says otherwise.
    var isFullRange: Bool {
        switch pointer.pointee.color_range {
        case AVCOL_RANGE_JPEG: true
        case AVCOL_RANGE_MPEG: false
        default:
            pixelFormat.isGray
                || [
                    AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUVJ444P,
                    AV_PIX_FMT_YUVJ440P, AV_PIX_FMT_YUVJ411P,
                ].contains(pixelFormat)
        }
    }
}

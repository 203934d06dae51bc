import CFFmpeg
import Errors

extension AVPixelFormat {
    func has(_ flags: Int32) -> Bool {
        av_pix_fmt_desc_get(self).map { $0.pointee.flags & UInt64(flags) != 0 } ?? false
    }

    /// Whether every sample stands in whole bytes of this machine's order, so that pictures can be
    /// sampled as they were decoded.
    var isReadable: Bool {
        guard let descriptor = av_pix_fmt_desc_get(self)?.pointee else { return false }
        let refused =
            AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_BE
            | AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_BAYER
        guard !has(refused), !isXYZ else { return false }
        // RGB may be packed so that a byte holds bits of several components.
        return !has(AV_PIX_FMT_FLAG_RGB)
            || [descriptor.comp.0, descriptor.comp.1, descriptor.comp.2].allSatisfy {
                $0.depth >= 8 && $0.shift == 0
            }
    }

    /// The readable format that holds what this one does, or most of it.
    var nearestReadable: AVPixelFormat {
        let native = av_pix_fmt_swap_endianness(self)
        if native.isReadable, sws_isSupportedOutput(native) != 0 { return native }
        let depth = av_pix_fmt_desc_get(self)?.pointee.comp.0.depth ?? 8
        if isGray { return depth > 8 ? AV_PIX_FMT_GRAY16LE : AV_PIX_FMT_GRAY8 }
        if isColourDifference { return AV_PIX_FMT_YUV444P }
        return depth > 8 ? AV_PIX_FMT_RGB48LE : AV_PIX_FMT_RGB24
    }

    /// One component, or two with alpha. (A palette's one component is an index.)
    var isGray: Bool {
        guard let descriptor = av_pix_fmt_desc_get(self)?.pointee else { return false }
        return descriptor.nb_components < 3
            && !has(AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BAYER | AV_PIX_FMT_FLAG_RGB)
    }

    /// True for formats that store Y, Cb and Cr, whatever their layout.
    private var isColourDifference: Bool {
        let others = AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BAYER
        return !has(others) && !isGray && !isXYZ
    }

    /// CIE XYZ carries no flag of its own.
    private var isXYZ: Bool { self == AV_PIX_FMT_XYZ12LE || self == AV_PIX_FMT_XYZ12BE }
}

/// Brings pictures of formats that cannot be sampled to the nearest ones that can.
struct FormatConverter {
    /// Made when a picture needs it.
    private var scaling: ScalingContext?

    /// - Returns: the picture itself where it can be sampled.
    /// - Throws: `LoopyError` `.undecodable`.
    mutating func readable(_ frame: Frame, path: String) throws -> Frame {
        let format = frame.pixelFormat
        guard !format.isReadable else { return frame }
        let target = format.nearestReadable
        if scaling?.accepts(frame) != true {
            scaling = ScalingContext(
                width: frame.width, height: frame.height, from: format, to: target,
                flags: SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP | SWS_FULL_CHR_H_INT)
        }
        guard let scaling else {
            let name = av_get_pix_fmt_name(format).map { String(cString: $0) } ?? "unknown"
            throw LoopyError(
                .undecodable, "has pictures of the format '\(name)', which cannot be converted",
                path: path)
        }
        let converted = try Frame.picture(target, width: frame.width, height: frame.height)
        try check(
            av_frame_copy_props(converted.pointer, frame.pointer), .processing,
            "out of memory for a picture")
        try check(
            scaling.convert(frame, into: converted), .undecodable, "cannot convert a picture",
            path: path)
        return converted
    }
}

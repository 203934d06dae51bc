import CFFmpeg
import Errors

/// Whole pictures as 8-bit RGB, as swscale converts them: the numbers that the ffmpeg command and PyAV
/// give. Belongs to one thread at a time.
public final class RGBConverter {
    private var scaling: ScalingContext?
    /// The picture that was converted last.
    private var packed: Frame?

    public init() {}

    /// - Parameter rgb: filled with the upright picture, `[height, width, 3]`.
    /// - Throws: `LoopyError` `.undecodable` for a picture that cannot be converted.
    public func convert(
        _ picture: VideoFrame, into rgb: UnsafeMutableBufferPointer<UInt8>
    ) throws {
        precondition(
            rgb.count >= picture.width * picture.height * 3,
            "the buffer is smaller than the picture")
        // swscale converts deep RGB by way of Y'CbCr, and does not turn pictures.
        guard picture.isCodedUpright, !picture.isRGB else { return sample(picture, into: rgb) }
        let coded = picture.frame
        let (width, height) = (coded.width, coded.height)
        if scaling?.accepts(coded) != true {
            scaling = ScalingContext(
                width: width, height: height, from: coded.pixelFormat, to: AV_PIX_FMT_RGB24,
                flags: SWS_BICUBIC)
        }
        guard let scaling else {
            throw LoopyError(.undecodable, "has pictures that cannot be converted to RGB")
        }
        scaling.setColours(
            matrix: ColourStandard(picture.frame).number, fromFullRange: coded.isFullRange,
            toFullRange: true)
        // Into rows as FFmpeg lays them out: how swscale rounds depends on where a row begins.
        let rows = try packedRows(width, height)
        guard scaling.convert(coded, into: rows) >= 0, let data = rows.data.0 else {
            throw LoopyError(.undecodable, "has pictures that cannot be converted to RGB")
        }
        let rowBytes = Int(width) * 3
        for row in 0..<Int(height) {
            (rgb.baseAddress! + row * rowBytes).update(  // large enough, as checked above
                from: data + row * Int(rows.linesize.0), count: rowBytes)
        }
    }

    private func packedRows(_ width: Int32, _ height: Int32) throws -> Frame {
        if let packed, packed.width == width, packed.height == height { return packed }
        let made = try Frame.picture(AV_PIX_FMT_RGB24, width: width, height: height)
        packed = made
        return made
    }

    /// Takes every pixel as it is stored.
    private func sample(_ picture: VideoFrame, into rgb: UnsafeMutableBufferPointer<UInt8>) {
        let values = picture.pixels(.identity, width: picture.width, height: picture.height)
        for (index, value) in values.enumerated() { rgb[index] = UInt8(value.rounded()) }
    }
}

extension VideoFrame {
    /// Whether the picture is stored as it is shown.
    fileprivate var isCodedUpright: Bool {
        orientation.uprightToCoded == .identity && width == Int(frame.width)
            && height == Int(frame.height)
    }
}

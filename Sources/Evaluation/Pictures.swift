import Media
import Torch

/// The pictures of a video on the 25 fps grid, as 8-bit RGB.
final class Pictures {
    private let prefetcher: FramePrefetcher
    private let converter = RGBConverter()

    /// - Throws: `LoopyError` when the video cannot be opened.
    init(_ path: String, clock: VideoClock, threads: Int) throws {
        prefetcher = FramePrefetcher(try VideoReader(path: path, clock: clock, threads: threads))
    }

    /// The next picture, uint8 `[3, H, W]`; nil at the end.
    func next() throws -> Tensor? {
        guard let frame = try prefetcher.next()?.frame else { return nil }
        let rows = Tensor.empty([frame.height, frame.width, 3], type: .uint8)
        try rows.withMutableElements(of: UInt8.self) { try converter.convert(frame, into: $0) }
        return rows.permuted(2, 0, 1).contiguous()
    }

    func cancel() { prefetcher.cancel() }
}

/// What networks want of a picture, uint8 `[3, H, W]`.
enum PicturePreparation {
    /// Returns float32 `[1, 3, side, side]` in 0...1, bilinear without antialiasing as torch's `interpolate`; at
    /// its own size where `side` is 0.
    static func unit(_ picture: Tensor, side: Int) -> Tensor {
        let values = picture.to(.float32).unsqueezed(0) / 255.0
        return side == 0 ? values : interpolate(values, size: [side, side], .linear)
    }

    /// Returns float32 `[3, 224, 224]` in -1...1 as StyleGAN-V's FVD prepares frames: the shorter side to 224,
    /// bilinear, and the middle of the longer.
    static func forI3D(_ picture: Tensor) -> Tensor {
        let side = 224
        let (height, width) = (picture.length(1), picture.length(2))
        let scale = Double(side) / Double(min(height, width))
        let size =
            height < width
            ? [side, Int((Double(width) * scale).rounded(.up))]
            : [Int((Double(height) * scale).rounded(.up)), side]
        let values = interpolate(picture.to(.float32).unsqueezed(0) / 255.0, size: size, .linear)[0]
        let top = (size[0] - side) / 2, left = (size[1] - side) / 2
        return (values[.all, top..<(top + side), left..<(left + side)] - 0.5) * 2.0
    }
}

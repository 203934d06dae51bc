import Media
import Torch

/// The pictures of a video as tensors, one after the other.
struct Pictures {
    let slice: FileSlice
    /// The side that pictures are brought to; 0 leaves them as they are.
    let side: Int
    let threads: Int

    init(_ slice: FileSlice, side: Int, threads: Int) {
        (self.slice, self.side, self.threads) = (slice, side, threads)
    }

    /// The number of pictures, and their size.
    func size() throws -> (frames: Int, height: Int, width: Int) {
        let reader = try VideoReader(path: slice.path, bytes: slice.bytes, threads: threads)
        var frames = 0, size = (0, 0)
        while let picture = try reader.next() {
            if frames == 0 { size = (picture.frame.height, picture.frame.width) }
            frames += 1
        }
        return side > 0 ? (frames, side, side) : (frames, size.0, size.1)
    }

    /// - Parameters:
    ///   - range: frames that are wanted.
    ///   - body: gets `[1, 3, H, W]`, -1 to 1.
    func visit(_ range: Range<Int> = 0..<Int.max, _ body: (Tensor) throws -> Void) throws {
        try visit(range, where: { _ in true }, body)
    }

    /// - Parameters:
    ///   - frames: those that are wanted, in order; they are decoded in one pass.
    ///   - body: gets `[1, 3, H, W]`, -1 to 1.
    func visit(_ frames: [Int], _ body: (Tensor) throws -> Void) throws {
        guard let first = frames.first, let last = frames.last else { return }
        let wanted = Set(frames)
        try visit(first..<(last + 1), where: wanted.contains, body)
    }

    private func visit(
        _ range: Range<Int>, where isWanted: (Int) -> Bool, _ body: (Tensor) throws -> Void
    ) throws {
        let reader = try VideoReader(
            path: slice.path, bytes: slice.bytes, range: range, threads: threads)
        let converter = RGBConverter()
        let pictures = FramePrefetcher(reader)
        defer { pictures.cancel() }
        while let picture = try pictures.next() {
            guard isWanted(picture.index) else { continue }
            try body(converter.tensor(picture.frame, side: side))
        }
    }
}

extension RGBConverter {
    /// A picture as codecs take it: `[1, 3, H, W]`, -1 to 1.
    ///
    /// - Parameter side: the side that the picture is brought to; 0 leaves it as it is.
    /// - Throws: `LoopyError` `.undecodable` for a picture that cannot be converted.
    public func tensor(_ frame: VideoFrame, side: Int) throws -> Tensor {
        let pixels = Tensor.empty([1, frame.height, frame.width, 3], type: .uint8)
        try pixels.withMutableElements(of: UInt8.self) { try convert(frame, into: $0) }
        let values = pixels.permuted(0, 3, 1, 2).to(.float32) / 127.5 - 1.0
        guard side > 0, values.shape != [1, 3, side, side] else { return values }
        return interpolate(values, size: [side, side], .linear, antialias: true)
    }
}

import Foundation
import Media

/// A perceptual hash of a face and what is around it: 64 bits, of which most are the same in another encoding,
/// size or crop of the picture.
///
/// The bits are the signs of the lowest cosine coefficients of the brightness (as in "pHash": Zauner,
/// "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010), of a square that goes with the
/// face, so that it does not matter how large the picture around it is.
package struct FaceHash: Sendable, Equatable {
    package let bits: UInt64

    /// The pixels along a side, and the coefficients along it.
    private static let side = 32, coefficients = 8
    /// The side of the square over that of the face.
    private static let scale = 1.6

    package init(bits: UInt64) { self.bits = bits }

    package init(_ face: Box, in picture: VideoFrame) {
        let region = FaceRegion(around: face, angle: 0, scale: Self.scale)
        let count = Self.side * Self.side
        let luma = withUnsafeTemporaryAllocation(of: Float.self, capacity: count * 3) { rgb in
            picture.sample(
                region.map(size: Self.side), width: Self.side, height: Self.side, into: rgb)
            return (0..<count).map { pixel -> Float in
                let red = rgb[pixel * 3], green = rgb[pixel * 3 + 1], blue = rgb[pixel * 3 + 2]
                return 0.299 * red + 0.587 * green + 0.114 * blue
            }
        }
        self.init(luma: luma)
    }

    /// - Parameter luma: `[32, 32]`
    init(luma: [Float]) {
        let (side, count) = (Self.side, Self.coefficients)
        // along rows, then along columns
        var rows = [Float](repeating: 0, count: side * count)
        for y in 0..<side {
            for u in 0..<count {
                var sum: Float = 0
                for x in 0..<side { sum += luma[y * side + x] * Self.cosines[u * side + x] }
                rows[y * count + u] = sum
            }
        }
        var bits: UInt64 = 0
        for v in 0..<count {
            for u in 0..<count {
                var sum: Float = 0
                for y in 0..<side { sum += rows[y * count + u] * Self.cosines[v * side + y] }
                if sum > 0 { bits |= 1 << UInt64(v * count + u) }
            }
        }
        // The mean is never below 0: its bit tells a hash from none.
        self.bits = bits | 1
    }

    private static let cosines: [Float] = (0..<coefficients).flatMap { u in
        (0..<side).map { Float(cos(.pi * Double(u) * (Double($0) + 0.5) / Double(side))) }
    }

    /// The hash of the picture's mirror image: waves that are odd from left to right change their sign.
    package var mirrored: FaceHash { FaceHash(bits: bits ^ 0xaaaa_aaaa_aaaa_aaaa) }

    /// The bits that differ, of 63.
    package func distance(to other: FaceHash) -> Int { (bits ^ other.bits).nonzeroBitCount }
}

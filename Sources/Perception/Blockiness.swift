import Media

/// How much a codec's blocks show in a picture.
///
/// Reference: Wang, Sheikh and Bovik, "No-reference perceptual quality assessment of JPEG compressed images",
/// ICIP 2002: differences of neighbours across the borders of 8-pixel blocks, against those inside. Here
/// they are medians over columns, so that edges in the picture do not count, and the border may be any of
/// the eight phases, because pictures are cropped.
///
/// What is seen are blocks on the grid of these pictures. Scaling after coding blurs them: a picture that was
/// full of blocks and then scaled has half, whatever it had. Codecs that smooth the borders of their blocks
/// (H.264 and later) leave little to see.
package enum Blockiness {
    private static let grid = 8
    private static let rowStep = 4
    /// Larger differences, of 255 levels, are edges.
    private static let edge: Float = 20
    /// This difference, of 255 levels, keeps the ratio near 1 where there is nothing at all.
    private static let floor: Float = 0.1

    /// Returns how much larger differences are at the blocks' borders than inside, over those inside: 0 where
    /// no blocks are seen; nil for a picture smaller than 8 blocks.
    package static func of(_ frame: VideoFrame) -> Double? {
        let (width, height) = (frame.lumaWidth, frame.lumaHeight)
        guard width > 8 * grid, height > rowStep else { return nil }
        var rows = 0
        let luma = [Float](
            unsafeUninitializedCapacity: width * ((height + rowStep - 1) / rowStep)
        ) { buffer, count in
            rows = frame.copyLuma(step: rowStep, into: buffer)
            count = rows * width
        }
        var differences = [Float](repeating: 0, count: width - 1)
        luma.withUnsafeBufferPointer { luma in
            for row in 0..<rows {
                let start = row * width
                for x in 0..<(width - 1) {
                    differences[x] += min(abs(luma[start + x + 1] - luma[start + x]), edge)
                }
            }
        }
        let phases = (0..<grid).map { phase in
            median(stride(from: phase, to: width - 1, by: grid).map { differences[$0] })
                / Float(rows)
        }.sorted()
        let inside = median(Array(phases.dropLast()))
        return Double((phases[grid - 1] + floor) / (inside + floor)) - 1
    }

    private static func median(_ values: [Float]) -> Float {
        let sorted = values.sorted()
        return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }
}

import CFFmpeg

/// The luma of a picture as it was coded: not turned upright, and not resampled. What a codec has left in a
/// picture is seen there only. Of pictures that store red, green and blue, red stands for it.
extension VideoFrame {
    /// The number of samples in a row.
    package var lumaWidth: Int { Int(frame.width) }
    package var lumaHeight: Int { Int(frame.height) }

    /// Copies every so many-th row.
    ///
    /// - Parameters:
    ///   - first: the first row that is copied.
    ///   - step: the number of rows from one that is copied to the next.
    ///   - luma: filled with `[rows, lumaWidth]`, 0...255.
    /// - Returns: the number of rows.
    package func copyLuma(
        from first: Int = 0, step: Int, into luma: UnsafeMutableBufferPointer<Float>
    ) -> Int {
        // The plane stands as long as the frame.
        withExtendedLifetime(frame) {
            let plane = planes[0]
            let rows = min(luma.count / plane.width, (plane.height - first + step - 1) / step)
            guard rows > 0, let out = luma.baseAddress else { return 0 }
            for row in 0..<rows {
                let base = plane.base + (first + row * step) * plane.rowBytes
                let line = out + row * plane.width
                if plane.bytesPerSample == 1, plane.step == 1 {
                    // The usual case, without a stride, so that it is done several samples at a time.
                    let samples = base.assumingMemoryBound(to: UInt8.self)
                    for x in 0..<plane.width { line[x] = Float(samples[x]) * plane.scale }
                } else if plane.bytesPerSample == 1 {
                    for x in 0..<plane.width {
                        line[x] =
                            Float(base.load(fromByteOffset: x * plane.step, as: UInt8.self))
                            * plane.scale
                    }
                } else {
                    for x in 0..<plane.width {
                        let sample = base.loadUnaligned(
                            fromByteOffset: x * plane.step, as: UInt16.self)
                        line[x] = Float(sample) * plane.scale
                    }
                }
            }
            return rows
        }
    }
}

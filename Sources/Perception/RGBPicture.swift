import Media

/// A whole picture as 8-bit RGB, resampled as OpenCV does: networks that were made for its pictures
/// then see the same numbers, and their points are those that rtmlib finds.
package struct RGBPicture {
    let width: Int
    let height: Int
    /// The bytes, `[height, width, 3]`.
    package private(set) var pixels: [UInt8]

    /// - Throws: `LoopyError` for a picture that cannot be converted.
    init(_ frame: VideoFrame, _ converter: RGBConverter) throws {
        (width, height) = (frame.width, frame.height)
        pixels = [UInt8](repeating: 0, count: width * height * 3)
        try pixels.withUnsafeMutableBufferPointer { try converter.convert(frame, into: $0) }
    }

    package init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(pixels.count == width * height * 3, "pixels do not fill the picture")
        (self.width, self.height, self.pixels) = (width, height, pixels)
    }

    /// Resizes as `cv2.resize` with INTER_LINEAR: 11 bits of weight across and down, no average when shrinking.
    package func resized(width newWidth: Int, height newHeight: Int) -> RGBPicture {
        let columns = Self.weights(from: width, to: newWidth)
        let rows = Self.weights(from: height, to: newHeight)
        var result = [UInt8](repeating: 0, count: newWidth * newHeight * 3)
        pixels.withUnsafeBufferPointer { pixels in
            result.withUnsafeMutableBufferPointer { result in
                for (y, row) in rows.enumerated() {
                    let upper = row.first * width * 3, lower = row.second * width * 3
                    for (x, column) in columns.enumerated() {
                        for channel in 0..<3 {
                            let (left, right) = (
                                column.first * 3 + channel, column.second * 3 + channel
                            )
                            func across(_ line: Int) -> Int {
                                Int(pixels[line + left]) * column.firstWeight
                                    + Int(pixels[line + right]) * column.secondWeight
                            }
                            let sum =
                                (row.firstWeight * (across(upper) >> 4)) >> 16
                                + (row.secondWeight * (across(lower) >> 4)) >> 16
                            result[(y * newWidth + x) * 3 + channel] =
                                UInt8(truncatingIfNeeded: min(255, (sum + 2) >> 2))
                        }
                    }
                }
            }
        }
        return RGBPicture(width: newWidth, height: newHeight, pixels: result)
    }

    private struct Weights {
        var first: Int, second: Int
        /// The weights of both, which add up to 2048.
        var firstWeight: Int, secondWeight: Int
    }

    /// The two old samples that each new one lies between.
    private static func weights(from old: Int, to new: Int) -> [Weights] {
        let scale = 1 / (Double(new) / Double(old))
        return (0..<new).map { index in
            let position = Float((Double(index) + 0.5) * scale - 0.5)
            var first = Int(position.rounded(.down))
            var fraction = position - Float(first)
            if first < 0 { (first, fraction) = (0, 0) }
            if first >= old - 1 { (first, fraction) = (old - 1, 0) }
            return Weights(
                first: first, second: min(first + 1, old - 1),
                firstWeight: Int(((1 - fraction) * 2048).rounded(.toNearestOrEven)),
                secondWeight: Int((fraction * 2048).rounded(.toNearestOrEven)))
        }
    }

    /// Cuts as `cv2.warpAffine` with INTER_LINEAR does, by a map that does not turn; beyond the picture
    /// is black.
    ///
    /// - Parameters:
    ///   - left: the position of the new picture's first sample in the old one; like `top`, counted
    ///     from the centre of the old one's first.
    ///   - step: the distance from one new sample to the next, in old ones.
    package func cut(
        left: Double, top: Double, step: Double, width newWidth: Int, height newHeight: Int
    )
        -> RGBPicture
    {
        let columns = Self.positions(from: left, step: step, count: newWidth, within: width)
        let rows = Self.positions(from: top, step: step, count: newHeight, within: height)
        var result = [UInt8](repeating: 0, count: newWidth * newHeight * 3)
        pixels.withUnsafeBufferPointer { pixels in
            func value(_ x: Int, _ y: Int, _ channel: Int) -> Float {
                guard x >= 0, x < width, y >= 0, y < height else { return 0 }
                return Float(pixels[(y * width + x) * 3 + channel])
            }
            for (y, row) in zip(rows.range, rows.positions) {
                for (x, column) in zip(columns.range, columns.positions) {
                    for channel in 0..<3 {
                        let a = value(column.first, row.first, channel)
                        let b = value(column.first + 1, row.first, channel)
                        let c = value(column.first, row.first + 1, channel)
                        let d = value(column.first + 1, row.first + 1, channel)
                        let before = a + (c - a) * row.fraction
                        let after = b + (d - b) * row.fraction
                        result[(y * newWidth + x) * 3 + channel] = UInt8(
                            (before + (after - before) * column.fraction)
                                .rounded(.toNearestOrEven))
                    }
                }
            }
        }
        return RGBPicture(width: newWidth, height: newHeight, pixels: result)
    }

    /// Where new samples lie between old ones, in single precision as OpenCV computes it, and which of
    /// them touch the picture at all.
    private static func positions(
        from start: Double, step: Double, count: Int, within length: Int
    ) -> (range: Range<Int>, positions: [(first: Int, fraction: Float)]) {
        let positions = (0..<count).map { Float(start).addingProduct(Float($0), Float(step)) }
        func touches(_ position: Float) -> Bool { position > -1 && position < Float(length) }
        guard let first = positions.firstIndex(where: touches),
            let last = positions.lastIndex(where: touches)
        else { return (0..<0, []) }
        return (
            first..<(last + 1),
            positions[first...last].map { position in
                let before = position.rounded(.down)
                return (Int(before), position - before)
            }
        )
    }

    /// Writes the picture into the upper left of `[3, rows, columns]`, channel after channel.
    ///
    /// - Parameter channels: for each plane, the channel it holds (0 red, 1 green, 2 blue), and what
    ///   each of the 256 values becomes.
    func write(
        into planes: UnsafeMutableBufferPointer<Float>, columns: Int, rows: Int,
        channels: [(index: Int, values: [Float])]
    ) {
        for (plane, channel) in channels.enumerated() {
            for y in 0..<height {
                let line = (plane * rows + y) * columns
                for x in 0..<width {
                    planes[line + x] =
                        channel.values[Int(pixels[(y * width + x) * 3 + channel.index])]
                }
            }
        }
    }
}

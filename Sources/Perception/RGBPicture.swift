import Media

/// A whole picture as 8-bit RGB, resampled as OpenCV does: networks that were made for its pictures
/// then see the same numbers, and their points are those that rtmlib finds.
package struct RGBPicture {
    let width: Int
    let height: Int
    /// `[height, width, 3]`
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

    /// `cv2.resize` with INTER_LINEAR: 11 bits of weight across and down, no average when shrinking.
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
        /// Of 2048.
        var firstWeight: Int, secondWeight: Int
    }

    /// The two old samples that each new one lies between.
    private static func weights(from old: Int, to new: Int) -> [Weights] {
        let scale = 1 / (Double(new) / Double(old))
        return (0..<new).map { index in
            let place = Float((Double(index) + 0.5) * scale - 0.5)
            var first = Int(place.rounded(.down))
            var fraction = place - Float(first)
            if first < 0 { (first, fraction) = (0, 0) }
            if first >= old - 1 { (first, fraction) = (old - 1, 0) }
            return Weights(
                first: first, second: min(first + 1, old - 1),
                firstWeight: Int(((1 - fraction) * 2048).rounded(.toNearestOrEven)),
                secondWeight: Int((fraction * 2048).rounded(.toNearestOrEven)))
        }
    }

    /// `cv2.warpAffine` with INTER_LINEAR, of a map that does not turn; black beyond the picture.
    ///
    /// - Parameters:
    ///   - left: place of the new picture's first sample; like `top`, counted from the centre of the
    ///     old one's first.
    ///   - step: from one new sample to the next, in old ones.
    package func cut(
        left: Double, top: Double, step: Double, width newWidth: Int, height newHeight: Int
    )
        -> RGBPicture
    {
        let columns = Self.places(from: left, step: step, count: newWidth, within: width)
        let rows = Self.places(from: top, step: step, count: newHeight, within: height)
        var result = [UInt8](repeating: 0, count: newWidth * newHeight * 3)
        pixels.withUnsafeBufferPointer { pixels in
            func value(_ x: Int, _ y: Int, _ channel: Int) -> Float {
                guard x >= 0, x < width, y >= 0, y < height else { return 0 }
                return Float(pixels[(y * width + x) * 3 + channel])
            }
            for (y, row) in zip(rows.range, rows.places) {
                for (x, column) in zip(columns.range, columns.places) {
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
    private static func places(
        from start: Double, step: Double, count: Int, within length: Int
    ) -> (range: Range<Int>, places: [(first: Int, fraction: Float)]) {
        let places = (0..<count).map { Float(start).addingProduct(Float($0), Float(step)) }
        func touches(_ place: Float) -> Bool { place > -1 && place < Float(length) }
        guard let first = places.firstIndex(where: touches),
            let last = places.lastIndex(where: touches)
        else { return (0..<0, []) }
        return (
            first..<(last + 1),
            places[first...last].map { place in
                let before = place.rounded(.down)
                return (Int(before), place - before)
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

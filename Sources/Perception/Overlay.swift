import Media

/// Finds what was written over pictures: subtitles, names, logos of letters. They have many sharp strokes in a
/// small area, each with two sides, in lines, and do not change for a while.
///
/// Reference: Lienhart and Wernicke, "Localizing and segmenting text in images and videos", IEEE Transactions
/// on Circuits and Systems for Video Technology 12 (2002): strong gradients that are dense and stay over time.
/// Logos without strokes are not seen, and letters on a wall that nobody moves before are. A value belongs to
/// one video.
package struct Overlay {
    /// Where something is written, in squares of the picture.
    package struct Writing {
        /// Row by row.
        let isWritten: [Bool]
        let columns: Int
        let rows: Int
        /// The side of a square, in pixels of the upright picture.
        let side: Double

        /// The share of a box that is written on; of the whole picture where no box is given.
        package func share(of box: Box? = nil) -> Double {
            guard let box else {
                return Double(isWritten.count { $0 }) / Double(max(1, isWritten.count))
            }
            var written = 0.0, all = 0.0
            for row in 0..<rows {
                for column in 0..<columns {
                    let square = Box(
                        left: Double(column) * side, top: Double(row) * side,
                        right: Double(column + 1) * side, bottom: Double(row + 1) * side)
                    let common = square.intersection(box).area
                    all += common
                    if isWritten[row * columns + column] { written += common }
                }
            }
            return all > 0 ? written / all : 0
        }
    }

    /// The longest side with which pictures are looked at.
    private static let longest = 384
    /// The side of a square, in samples of that size.
    private static let square = 8
    /// The difference of the samples before and behind one that makes it part of a stroke's side, of 255.
    private static let stroke: Float = 40
    /// The difference from the last look that a sample may have and still be the same.
    private static let still: Float = 10
    /// The share of a square's samples that strokes take; those that get brighter or darker to the right, and
    /// downward: a fence and books on a shelf have strokes of one direction.
    private static let density: Float = 0.35, acrossDensity: Float = 0.08, downDensity: Float = 0.05
    /// The fewest squares in a line.
    private static let shortestLine = 3

    private var previous: (luma: [Float], width: Int, height: Int)?

    package init() {}

    /// - Returns: what is written in this picture and was in the one before; nil for the first, and one of
    ///   another size.
    package mutating func look(at frame: VideoFrame) -> Writing? {
        let scale = Double(max(frame.width, frame.height)) / Double(Self.longest)
        let width = Int(Double(frame.width) / scale) / Self.square * Self.square
        let height = Int(Double(frame.height) / scale) / Self.square * Self.square
        guard width > 0, height > 0 else { return nil }
        let luma = Self.luma(frame, scale: scale, width: width, height: height)
        defer { previous = (luma, width, height) }
        guard let previous, previous.width == width, previous.height == height else { return nil }
        let (columns, rows) = (width / Self.square, height / Self.square)
        var isWritten = (0..<(columns * rows)).map { index in
            Self.isWritten(
                luma, previous.luma, width: width, height: height,
                left: index % columns * Self.square, top: index / columns * Self.square)
        }
        for row in 0..<rows {
            Self.keepLines(in: &isWritten[(row * columns)..<((row + 1) * columns)])
        }
        return Writing(
            isWritten: isWritten, columns: columns, rows: rows, side: scale * Double(Self.square))
    }

    private static func luma(
        _ frame: VideoFrame, scale: Double, width: Int, height: Int
    ) -> [Float] {
        let map = Affine(xx: scale, xy: 0, x0: 0, yx: 0, yy: scale, y0: 0)
        let count = width * height
        let colours = frame.pixels(map, width: width, height: height)
        return (0..<count).map { pixel in
            let (red, green) = (colours[pixel * 3], colours[pixel * 3 + 1])
            return 0.299 * red + 0.587 * green + 0.114 * colours[pixel * 3 + 2]
        }
    }

    private static func isWritten(
        _ luma: [Float], _ before: [Float], width: Int, height: Int, left: Int, top: Int
    ) -> Bool {
        // How many samples are part of a stroke, and of those that get brighter or darker to the right or
        // downward.
        var strokes = 0, brighterRight = 0, darkerRight = 0, brighterDown = 0, darkerDown = 0
        for y in max(1, top)..<min(height - 1, top + square) {
            for x in max(1, left)..<min(width - 1, left + square) {
                let index = y * width + x
                let across = luma[index + 1] - luma[index - 1]
                let down = luma[index + width] - luma[index - width]
                guard max(abs(across), abs(down)) > stroke,
                    abs(luma[index] - before[index]) < still
                else { continue }
                let acrossBefore = before[index + 1] - before[index - 1]
                let downBefore = before[index + width] - before[index - width]
                guard max(abs(acrossBefore), abs(downBefore)) > stroke else { continue }
                strokes += 1
                if across > stroke { brighterRight += 1 }
                if across < -stroke { darkerRight += 1 }
                if down > stroke { brighterDown += 1 }
                if down < -stroke { darkerDown += 1 }
            }
        }
        func isMore(_ count: Int, than share: Float) -> Bool {
            Float(count) > share * Float(square * square)
        }
        return isMore(strokes, than: density)
            && isMore(min(brighterRight, darkerRight), than: acrossDensity)
            && isMore(min(brighterDown, darkerDown), than: downDensity)
    }

    /// Takes squares out that have too few beside them.
    private static func keepLines(in row: inout ArraySlice<Bool>) {
        var start = row.startIndex
        while start < row.endIndex {
            guard row[start] else {
                start += 1
                continue
            }
            let end = row[start...].firstIndex(of: false) ?? row.endIndex
            if end - start < shortestLine { for index in start..<end { row[index] = false } }
            start = end
        }
    }
}

import CFFmpeg

/// A map of the plane: `x' = xx·x + xy·y + x0`, `y' = yx·x + yy·y + y0`. Coordinates are continuous:
/// the centre of the first pixel is (0.5, 0.5).
public struct Affine: Sendable, Equatable {
    public var xx: Double, xy: Double, x0: Double
    public var yx: Double, yy: Double, y0: Double

    public init(xx: Double, xy: Double, x0: Double, yx: Double, yy: Double, y0: Double) {
        (self.xx, self.xy, self.x0) = (xx, xy, x0)
        (self.yx, self.yy, self.y0) = (yx, yy, y0)
    }

    public static let identity = Affine(xx: 1, xy: 0, x0: 0, yx: 0, yy: 1, y0: 0)

    public func callAsFunction(_ x: Double, _ y: Double) -> (x: Double, y: Double) {
        (xx * x + xy * y + x0, yx * x + yy * y + y0)
    }

    /// First `self`, then `next`.
    public func then(_ next: Affine) -> Affine {
        Affine(
            xx: next.xx * xx + next.xy * yx, xy: next.xx * xy + next.xy * yy,
            x0: next.xx * x0 + next.xy * y0 + next.x0,
            yx: next.yx * xx + next.yy * yx, yy: next.yx * xy + next.yy * yy,
            y0: next.yx * x0 + next.yy * y0 + next.y0)
    }
}

/// How the coded picture is turned, mirrored and stretched to be shown upright with square pixels.
public struct Orientation: Sendable, Equatable {
    /// The size of the upright picture, in square pixels.
    public let width: Int
    public let height: Int
    /// Maps points of the upright picture to points of the coded one.
    public let uprightToCoded: Affine

    /// - Parameters:
    ///   - matrix: the container's display matrix (9 values, 16.16 fixed point), or nil. Rotations
    ///     that are not a multiple of 90 degrees are taken to the nearest one.
    ///   - pixelAspect: width of a coded pixel over its height.
    init(
        codedWidth: Int, codedHeight: Int, matrix: [Int32]?, pixelAspect: Double
    ) {
        var quarter = (xx: 1, xy: 0, yx: 0, yy: 1)
        if let matrix {
            // Column vectors: x' = m0·x + m3·y, y' = m1·x + m4·y.
            let (a, b) = (Double(matrix[0]), Double(matrix[1]))
            let (c, d) = (Double(matrix[3]), Double(matrix[4]))
            if abs(a) + abs(d) >= abs(b) + abs(c) {
                quarter = (a < 0 ? -1 : 1, 0, 0, d < 0 ? -1 : 1)
            } else {
                quarter = (0, c < 0 ? -1 : 1, b < 0 ? -1 : 1, 0)
            }
        }
        let turned = quarter.xx == 0
        // Square pixels by widening or by heightening: never by throwing lines away.
        let stretchX = max(1, pixelAspect), stretchY = max(1, 1 / pixelAspect)
        let squareWidth = (Double(codedWidth) * stretchX).rounded()
        let squareHeight = (Double(codedHeight) * stretchY).rounded()
        width = Int(turned ? squareHeight : squareWidth)
        height = Int(turned ? squareWidth : squareHeight)

        // Signed quarter turns are inverted by transposing; negative axes start at the far side.
        let invertedXX = Double(quarter.xx), invertedXY = Double(quarter.yx)
        let invertedYX = Double(quarter.xy), invertedYY = Double(quarter.yy)
        let square = Affine(
            xx: invertedXX, xy: invertedXY,
            x0: invertedXX + invertedXY < 0 ? squareWidth : 0,
            yx: invertedYX, yy: invertedYY,
            y0: invertedYX + invertedYY < 0 ? squareHeight : 0)
        let toCoded = Affine(
            xx: Double(codedWidth) / squareWidth, xy: 0, x0: 0,
            yx: 0, yy: Double(codedHeight) / squareHeight, y0: 0)
        uprightToCoded = square.then(toCoded)
    }

    /// A photo's orientation by EXIF (tag 0x0112, 1 to 8) as a display matrix; nil for one that is upright.
    static func matrix(exif orientation: Int) -> [Int32]? {
        // Where x and y of the stored picture go.
        let axes: [Int: (x: (Int32, Int32), y: (Int32, Int32))] = [
            2: ((-1, 0), (0, 1)), 3: ((-1, 0), (0, -1)), 4: ((1, 0), (0, -1)),
            5: ((0, 1), (1, 0)), 6: ((0, 1), (-1, 0)), 7: ((0, -1), (-1, 0)),
            8: ((0, -1), (1, 0)),
        ]
        guard let (x, y) = axes[orientation] else { return nil }
        let one: Int32 = 1 << 16
        return [x.0 * one, x.1 * one, 0, y.0 * one, y.1 * one, 0, 0, 0, 1 << 30]
    }

    /// FFmpeg's filters that turn a coded picture upright, in a chain; empty when it already is.
    var uprightFilters: String {
        let m = uprightToCoded
        if m.xy == 0 {
            let horizontal = m.xx < 0 ? ["hflip"] : []
            let vertical = m.yy < 0 ? ["vflip"] : []
            return (horizontal + vertical).joined(separator: ",")
        }
        // Upright x runs along coded y and upright y along coded x.
        switch (m.xy < 0, m.yx < 0) {
        case (false, false): return "transpose=cclock_flip"
        case (false, true): return "transpose=clock"
        case (true, false): return "transpose=cclock"
        case (true, true): return "transpose=clock_flip"
        }
    }
}

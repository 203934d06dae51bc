import Torch

/// The noise in the flattest parts of pictures.
///
/// Pictures are cut into squares, and a plane is taken off each colour of each: what is left in a square
/// that shows a wall is noise. Which squares are flat is known from many pictures of the same scene, so
/// that chance does not choose.
package struct FlatBlocks {
    /// The side of a square in pixels: no multiple of 8, so that what a codec does to whole patches of 8
    /// or 16 pixels is seen as well.
    package static let side = 12
    /// The share of the squares that counts.
    package static let share = 0.1
    /// The variance of what rounding to whole levels adds.
    private static let rounding = 1.0 / 12

    private var sum: Tensor?
    /// The shape of the first picture that was added: the squares are of such ones.
    package private(set) var shape: [Int]?

    package init() {}

    /// Adds a picture of the scene, uint8 `[3, H, W]`, at least 12 pixels along each side. One of another
    /// shape than the first has other squares, and is left out.
    package mutating func add(_ picture: Tensor) {
        guard shape ?? picture.shape == picture.shape else { return }
        let variances = Self.variances(picture)
        sum = sum.map { $0 + variances } ?? variances
        shape = picture.shape
    }

    /// The flattest squares of the pictures that were added, as indices into `variances`.
    package var flattest: [Int] {
        guard let values = sum?.array(of: Double.self) else { return [] }
        let order = values.indices.sorted { (values[$0], $0) < (values[$1], $1) }
        return Array(order.prefix(max(1, Int((Double(values.count) * Self.share).rounded()))))
    }

    /// The standard deviation of the noise in squares of a picture, in levels of 255: of the median
    /// square, and never less than what rounding makes of a smooth picture.
    package static func noise(of picture: Tensor, in squares: [Int]) -> Double {
        let all = variances(picture).array(of: Double.self)
        let values = squares.map { all[$0] }.sorted()
        let median = (values[(values.count - 1) / 2] + values[values.count / 2]) / 2
        return max(median, rounding).squareRoot()
    }

    /// The variance of what a plane does not explain, the mean of the colours: float64 `[N]`, square by
    /// square in rows.
    private static func variances(_ picture: Tensor) -> Tensor {
        let (rows, columns) = (picture.length(1) / side, picture.length(2) / side)
        let squares = picture[.all, 0..<(rows * side), 0..<(columns * side)].to(.float64)
            .reshaped(3, rows, side, columns, side).permuted(0, 1, 3, 2, 4)
            .reshaped(3, rows * columns, side * side)
        let explained = squares.matmul(planes).square().sum([2])
        let left = (squares.square().sum([2]) - explained).clamped(0, nil)
        return left.mean([0]) / Double(side * side - 3)
    }

    /// An orthonormal basis of the planes over a square, float64 `[side · side, 3]`.
    private static var planes: Tensor {
        let steps = (0..<side).map { Double($0) - Double(side - 1) / 2 }
        let length = steps.reduce(0) { $0 + $1 * $1 } * Double(side)
        var values: [Double] = []
        for y in steps {
            for x in steps {
                values += [
                    1 / Double(side), x / length.squareRoot(), y / length.squareRoot(),
                ]
            }
        }
        return Tensor(values, shape: [side * side, 3])
    }
}

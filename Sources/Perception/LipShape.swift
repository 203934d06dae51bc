/// The shape of a mouth: lengths and positions of its lips in a frame that the head carries along, so
/// that neither turning nor coming nearer changes them. Lengths are in distances between the outer
/// corners of the eyes.
///
/// The frame is found by laying 27 points of FaceMesh that no speech moves (forehead, brows, eyes,
/// bridge of the nose, temples) onto those of a mean face, by the similarity with the least squares
/// (Umeyama 1991).
public struct LipShape: Sendable, Equatable {
    /// The number of values.
    public static let count = names.count

    /// What the values are. `y` grows down, `z` away from the camera; all points are in the middle
    /// unless a side is named.
    package static let names = [
        "gap between the inner lips", "gap, left", "gap, right",
        "height of the mouth", "width of the mouth", "width between the inner corners",
        "y above the upper lip", "y below the upper lip", "y above the lower lip",
        "y below the lower lip", "y of the chin", "y of the corners",
        "z of the upper lip", "z of the lower lip", "z of the corners",
    ]

    /// The values, in the order of `names`.
    public let values: [Float]

    /// - Parameter values: as many as there are names.
    package init(values: [Float]) {
        precondition(values.count == Self.count, "\(values.count) values are no shape of lips")
        self.values = values
    }

    /// - Parameter mesh: the 468 points of FaceMesh: x, y and depth in one unit.
    /// - Returns: nil where the points lie in one plane or in one point, and so on no face.
    package init?(mesh: [SIMD3<Double>]) {
        guard
            let toHead = Similarity(from: MeanFace.points.map { mesh[$0.key] }, to: MeanFace.values)
        else { return nil }
        func point(_ index: Int) -> SIMD3<Double> { toHead(mesh[index]) }
        let upper = (outer: point(0), inner: point(13)),
            lower = (outer: point(17), inner: point(14))
        let corners = (left: point(61), right: point(291))
        let values = [
            upper.inner.distance(to: lower.inner), point(82).distance(to: point(87)),
            point(312).distance(to: point(317)), upper.outer.distance(to: lower.outer),
            corners.left.distance(to: corners.right), point(78).distance(to: point(308)),
            upper.outer.y, upper.inner.y, lower.inner.y, lower.outer.y, point(152).y,
            (corners.left.y + corners.right.y) / 2,
            upper.outer.z, lower.outer.z, (corners.left.z + corners.right.z) / 2,
        ]
        guard values.allSatisfy(\.isFinite) else { return nil }
        self.values = values.map(Float.init)
    }

    /// The shape between two others.
    ///
    /// - Parameter share: 0 for this one, 1 for the other.
    package func mixed(with other: LipShape, share: Float) -> LipShape {
        LipShape(values: zip(values, other.values).map { $0 + ($1 - $0) * share })
    }
}

/// A rotation, a scale and a shift.
private struct Similarity {
    private let rows: (SIMD3<Double>, SIMD3<Double>, SIMD3<Double>)
    private let from: SIMD3<Double>
    private let to: SIMD3<Double>

    /// The similarity that brings points nearest to others.
    ///
    /// - Returns: nil where it is not determined.
    init?(from points: [SIMD3<Double>], to others: [SIMD3<Double>]) {
        from = points.reduce(.zero, +) / Double(points.count)
        to = others.reduce(.zero, +) / Double(others.count)
        var correlation = (SIMD3<Double>.zero, SIMD3<Double>.zero, SIMD3<Double>.zero)
        var spread = 0.0
        for (point, other) in zip(points, others) {
            let (a, b) = (point - from, other - to)
            correlation.0 += b.x * a
            correlation.1 += b.y * a
            correlation.2 += b.z * a
            spread += (a * a).sum()
        }
        guard spread > 0, let turn = Self.rotation(nearest: correlation) else { return nil }
        let covered =
            (turn.0 * correlation.0).sum() + (turn.1 * correlation.1).sum()
            + (turn.2 * correlation.2).sum()
        let scale = covered / spread
        rows = (turn.0 * scale, turn.1 * scale, turn.2 * scale)
    }

    func callAsFunction(_ point: SIMD3<Double>) -> SIMD3<Double> {
        let a = point - from
        return to + SIMD3((rows.0 * a).sum(), (rows.1 * a).sum(), (rows.2 * a).sum())
    }

    /// The rotation nearest to a matrix, its polar factor: Newton's iteration of X and its inverse
    /// transposed (Higham 1986), which doubles the digits at each step.
    ///
    /// - Parameter rows: of the matrix.
    private static func rotation(
        nearest rows: (SIMD3<Double>, SIMD3<Double>, SIMD3<Double>)
    ) -> (SIMD3<Double>, SIMD3<Double>, SIMD3<Double>)? {
        var (x, y, z) = rows
        let size = ((x * x).sum() + (y * y).sum() + (z * z).sum()).squareRoot()
        guard size > 0 else { return nil }
        (x, y, z) = (x / size, y / size, z / size)
        for _ in 0..<12 {
            let inverse = (y.cross(z), z.cross(x), x.cross(y))
            let determinant = (x * inverse.0).sum()
            // A reflection, or a plane: no face looks so.
            guard determinant > 1e-9 else { return nil }
            x = (x + inverse.0 / determinant) / 2
            y = (y + inverse.1 / determinant) / 2
            z = (z + inverse.2 / determinant) / 2
        }
        return (x, y, z)
    }
}

extension SIMD3<Double> {
    fileprivate func cross(_ other: Self) -> Self {
        Self(
            y * other.z - z * other.y, z * other.x - x * other.z, x * other.y - y * other.x)
    }

    fileprivate func distance(to other: Self) -> Double {
        ((self - other) * (self - other)).sum().squareRoot()
    }
}

/// Points of FaceMesh that speech does not move, on the mean of the faces of the GRID corpus, made
/// symmetric: in distances between the outer corners of the eyes, forehead straight above the chin.
private enum MeanFace {
    static let values = points.map(\.value)

    static let points: KeyValuePairs<Int, SIMD3<Double>> = [
        // eyes
        33: [-0.500, 0.095, 0.061], 263: [0.500, 0.095, 0.061],
        133: [-0.195, 0.102, 0.003], 362: [0.195, 0.102, 0.003],
        // nose
        168: [0, 0.024, -0.180], 6: [0, 0.108, -0.236], 197: [0, 0.187, -0.298],
        195: [0, 0.260, -0.364], 5: [0, 0.338, -0.434],
        98: [-0.194, 0.600, -0.192], 327: [0.194, 0.600, -0.192],
        // forehead
        10: [0, -0.537, -0.086], 9: [0, -0.160, -0.188], 8: [0, -0.059, -0.181],
        151: [0, -0.355, -0.140], 109: [-0.209, -0.529, -0.068], 338: [0.209, -0.529, -0.068],
        67: [-0.387, -0.489, -0.001], 297: [0.387, -0.489, -0.001],
        // temples
        127: [-0.770, 0.199, 0.605], 356: [0.770, 0.199, 0.605],
        234: [-0.761, 0.372, 0.645], 454: [0.761, 0.372, 0.645],
        // brows
        70: [-0.630, -0.068, 0.078], 300: [0.630, -0.068, 0.078],
        105: [-0.451, -0.184, -0.079], 334: [0.451, -0.184, -0.079],
    ]
}

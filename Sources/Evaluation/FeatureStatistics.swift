import Foundation
import Torch

/// Mean and covariance of vectors of features, summed up over as many as there are, in float64.
///
/// The covariance is kept as a factor F, `[rows, C]` with FᵀF the sum of squares about the mean, which
/// is made shorter by a QR decomposition when it has more than twice C rows. Memory is bounded by C.
/// Unlike sums of squares a factor loses no digits, so that covariances without full rank (fewer
/// vectors than features) are as exact as others. The same vectors in the same order, divided among
/// the same calls, give the same bits.
public struct FeatureStatistics {
    /// Vectors seen.
    public private(set) var count = 0
    /// Float64 `[C]` and `[rows, C]`.
    private var mean: Tensor
    private var factor: Tensor

    /// - Parameter length: values of a vector, C.
    public init(length: Int) {
        mean = .zeros([length], type: .float64)
        factor = .zeros([0, length], type: .float64)
    }

    public var length: Int { mean.length(0) }

    /// - Parameter features: `[N, C]`, finite.
    public mutating func add(_ features: Tensor) {
        withoutGradient {
            // In pieces: the factor stays short.
            for start in stride(from: 0, to: features.length(0), by: length) {
                let end = min(features.length(0), start + length)
                add(piece: features[start..<end].to(.cpu).to(.float64))
            }
        }
    }

    private mutating func add(piece: Tensor) {
        let (before, added) = (Double(count), Double(piece.length(0)))
        let middle = piece.mean([0])
        let step = middle - mean
        var rows = [factor, piece - middle]
        if count > 0 {
            // What the means' distance adds to the squares (Chan et al. 1979).
            rows.append((step * (before * added / (before + added)).squareRoot()).unsqueezed(0))
        }
        factor = concatenated(rows, along: 0)
        mean = mean + step * (added / (before + added))
        count += piece.length(0)
        if factor.length(0) > 2 * length { factor = Self.shortened(factor) }
    }

    /// R of the QR decomposition: `[C, C]`, with the same product RᵀR. On one thread: the solver rounds
    /// otherwise on several.
    private static func shortened(_ factor: Tensor) -> Tensor {
        LibTorch.withThreads(1) { Operator.qr.tensors(factor, "r" as StaticString)[1] }
    }

    /// The Fréchet distance of two normal distributions with these means and covariances (divided by
    /// the count less one, as `numpy.cov`): |m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½).
    ///
    /// The trace of the root is the sum of the singular values of F1 F2ᵀ: (C1 C2)^½ has the eigenvalues
    /// of (C1^½ C2 C1^½)^½, and with C = FᵀF those are they.
    ///
    /// - Returns: nil for fewer than two vectors on either side.
    /// - Precondition: vectors of one length.
    public func frechetDistance(to other: FeatureStatistics) -> Double? {
        guard length == other.length else {
            fatalError("features of \(length) values have no distance to \(other.length)")
        }
        guard count > 1, other.count > 1 else { return nil }
        return withoutGradient {
            let a = factor.length(0) > length ? Self.shortened(factor) : factor
            let b = other.factor.length(0) > length ? Self.shortened(other.factor) : other.factor
            let (n, m) = (Double(count - 1), Double(other.count - 1))
            let root = LibTorch.withThreads(1) {
                Operator.singularValues(a.matmul(b.transposed(0, 1))).sum().scalar
            }
            return (mean - other.mean).square().sum().scalar + a.square().sum().scalar / n
                + b.square().sum().scalar / m - 2 * root / (n * m).squareRoot()
        }
    }
}

extension Operator {
    fileprivate static let qr = Operator("aten::linalg_qr")
    fileprivate static let singularValues = Operator("aten::linalg_svdvals")
}

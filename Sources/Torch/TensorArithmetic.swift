// These operators work element by element; shapes broadcast as in numpy.
extension Tensor {
    public static func + (a: Tensor, b: Tensor) -> Tensor { Operator.add(a, b) }
    public static func - (a: Tensor, b: Tensor) -> Tensor { Operator.subtract(a, b) }
    public static func * (a: Tensor, b: Tensor) -> Tensor { Operator.multiply(a, b) }
    public static func / (a: Tensor, b: Tensor) -> Tensor { Operator.divide(a, b) }
    public static prefix func - (a: Tensor) -> Tensor { Operator.negate(a) }

    public static func + (a: Tensor, b: Double) -> Tensor { Operator.addNumber(a, b) }
    public static func - (a: Tensor, b: Double) -> Tensor { Operator.subtractNumber(a, b) }
    public static func * (a: Tensor, b: Double) -> Tensor { Operator.multiplyNumber(a, b) }
    public static func / (a: Tensor, b: Double) -> Tensor { Operator.divideNumber(a, b) }
    public static func + (a: Double, b: Tensor) -> Tensor { b + a }
    public static func - (a: Double, b: Tensor) -> Tensor { Operator.reverseSubtract(b, a) }
    public static func * (a: Double, b: Tensor) -> Tensor { b * a }
    public static func / (a: Double, b: Tensor) -> Tensor { Operator.reciprocal(b) * a }

    // Whole numbers keep a tensor of integers one; a quotient is always real.
    public static func + (a: Tensor, b: Int) -> Tensor { Operator.addNumber(a, b) }
    public static func - (a: Tensor, b: Int) -> Tensor { Operator.subtractNumber(a, b) }
    public static func * (a: Tensor, b: Int) -> Tensor { Operator.multiplyNumber(a, b) }
    public static func / (a: Tensor, b: Int) -> Tensor { Operator.divideNumber(a, b) }
    public static func + (a: Int, b: Tensor) -> Tensor { b + a }
    public static func - (a: Int, b: Tensor) -> Tensor { Operator.reverseSubtract(b, a) }
    public static func * (a: Int, b: Tensor) -> Tensor { b * a }

    // In place: the elements change, for every tensor that refers to them.
    public static func += (a: Tensor, b: Tensor) { Operator.addInPlace(a, b) }
    public static func -= (a: Tensor, b: Tensor) { Operator.subtractInPlace(a, b) }
    public static func *= (a: Tensor, b: Tensor) { Operator.multiplyInPlace(a, b) }
    public static func *= (a: Tensor, b: Double) { Operator.multiplyNumberInPlace(a, b) }

    public static func < (a: Tensor, b: Double) -> Tensor { Operator.less(a, b) }
    public static func > (a: Tensor, b: Double) -> Tensor { Operator.greater(a, b) }

    public func abs() -> Tensor { Operator.abs(self) }
    public func exp() -> Tensor { Operator.exp(self) }
    public func log() -> Tensor { Operator.log(self) }
    public func sqrt() -> Tensor { Operator.sqrt(self) }
    public func sin() -> Tensor { Operator.sin(self) }
    public func cos() -> Tensor { Operator.cos(self) }
    public func square() -> Tensor { Operator.square(self) }
    public func floor() -> Tensor { Operator.floor(self) }
    public func pow(_ exponent: Double) -> Tensor { Operator.pow(self, exponent) }

    /// - Parameters:
    ///   - lower, upper: nil for no limit.
    public func clamped(_ lower: Double? = nil, _ upper: Double? = nil) -> Tensor {
        Operator.clamp(self, lower, upper)
    }

    /// Keeps the elements for which the condition holds, and takes those of another tensor elsewhere.
    ///
    /// - Parameter condition: a tensor of truth values.
    public func `where`(_ condition: Tensor, else other: Tensor) -> Tensor {
        Operator.where(condition, self, other)
    }

    /// `[…, N, K]` by `[…, K, M]` to `[…, N, M]`.
    public func matmul(_ other: Tensor) -> Tensor { Operator.matmul(self, other) }
}

// These operators work over one or more axes.
extension Tensor {
    /// - Parameters:
    ///   - axes: all when left out.
    ///   - keepDim: whether the axes stay, with length 1.
    public func sum(_ axes: [Int] = [], keepDim: Bool = false) -> Tensor {
        Operator.sum(self, allIfEmpty(axes), keepDim)
    }

    public func mean(_ axes: [Int] = [], keepDim: Bool = false) -> Tensor {
        Operator.mean(self, allIfEmpty(axes), keepDim)
    }

    /// Population variance (divided by the count), unless a correction is given.
    public func variance(
        _ axes: [Int] = [], correction: Int = 0, keepDim: Bool = false
    ) -> Tensor {
        Operator.variance(self, allIfEmpty(axes), correction, keepDim)
    }

    public func amax(_ axes: [Int] = [], keepDim: Bool = false) -> Tensor {
        Operator.amax(self, allIfEmpty(axes), keepDim)
    }

    public func amin(_ axes: [Int] = [], keepDim: Bool = false) -> Tensor {
        Operator.amin(self, allIfEmpty(axes), keepDim)
    }

    /// The Euclidean norm.
    public func norm(_ axes: [Int] = [], keepDim: Bool = false) -> Tensor {
        Operator.norm(self, 2.0, allIfEmpty(axes), keepDim)
    }

    /// The index of the greatest element of an axis.
    public func argmax(_ axis: Int) -> Tensor { Operator.argmax(self, axis) }

    public func cumsum(_ axis: Int) -> Tensor { Operator.cumsum(self, axis) }

    /// Whether all elements are numbers, neither infinite nor undefined.
    public var isFinite: Bool { Operator.all(Operator.isFinite(self)).scalar != 0 }

    /// The same shape, type and elements.
    public func isEqual(to other: Tensor) -> Bool {
        type == other.type && shape == other.shape && Operator.equal.number(self, other) != 0
    }

    private func allIfEmpty(_ axes: [Int]) -> [Int] { axes.isEmpty ? Array(0..<rank) : axes }
}

extension Operator {
    fileprivate static let add = Operator("aten::add", "Tensor")
    fileprivate static let subtract = Operator("aten::sub", "Tensor")
    fileprivate static let multiply = Operator("aten::mul", "Tensor")
    fileprivate static let divide = Operator("aten::div", "Tensor")
    fileprivate static let negate = Operator("aten::neg")
    fileprivate static let addNumber = Operator("aten::add", "Scalar")
    fileprivate static let subtractNumber = Operator("aten::sub", "Scalar")
    fileprivate static let reverseSubtract = Operator("aten::rsub", "Scalar")
    fileprivate static let multiplyNumber = Operator("aten::mul", "Scalar")
    fileprivate static let divideNumber = Operator("aten::div", "Scalar")
    fileprivate static let reciprocal = Operator("aten::reciprocal")
    fileprivate static let addInPlace = Operator("aten::add_", "Tensor")
    fileprivate static let subtractInPlace = Operator("aten::sub_", "Tensor")
    fileprivate static let multiplyInPlace = Operator("aten::mul_", "Tensor")
    fileprivate static let multiplyNumberInPlace = Operator("aten::mul_", "Scalar")
    fileprivate static let less = Operator("aten::lt", "Scalar")
    fileprivate static let greater = Operator("aten::gt", "Scalar")
    fileprivate static let abs = Operator("aten::abs")
    fileprivate static let exp = Operator("aten::exp")
    fileprivate static let log = Operator("aten::log")
    fileprivate static let sqrt = Operator("aten::sqrt")
    fileprivate static let sin = Operator("aten::sin")
    fileprivate static let cos = Operator("aten::cos")
    fileprivate static let square = Operator("aten::square")
    fileprivate static let floor = Operator("aten::floor")
    fileprivate static let pow = Operator("aten::pow", "Tensor_Scalar")
    fileprivate static let clamp = Operator("aten::clamp")
    fileprivate static let `where` = Operator("aten::where", "self")
    fileprivate static let matmul = Operator("aten::matmul")
    fileprivate static let sum = Operator("aten::sum", "dim_IntList")
    fileprivate static let mean = Operator("aten::mean", "dim")
    fileprivate static let variance = Operator("aten::var", "correction")
    fileprivate static let amax = Operator("aten::amax")
    fileprivate static let amin = Operator("aten::amin")
    fileprivate static let norm = Operator("aten::linalg_vector_norm")
    fileprivate static let argmax = Operator("aten::argmax")
    fileprivate static let cumsum = Operator("aten::cumsum")
    fileprivate static let all = Operator("aten::all")
    fileprivate static let isFinite = Operator("aten::isfinite")
    fileprivate static let equal = Operator("aten::equal")
}

import Perception

/// How the camera moved between two pictures: it takes points of the later one to where they were in
/// the earlier one. One complex factor and summand stand for turning, zooming and shifting.
struct CameraStep {
    var factor = Complex(1, 0)
    var shift = Complex(0, 0)

    func callAsFunction(_ point: Point) -> Point {
        let moved = factor * Complex(point.x, point.y) + shift
        return Point(moved.real, moved.imaginary)
    }

    /// Returns this step after another that was made later.
    func after(_ later: CameraStep) -> CameraStep {
        CameraStep(factor: factor * later.factor, shift: factor * later.shift + shift)
    }
}

/// Just enough of a complex number.
struct Complex {
    var real: Double
    var imaginary: Double

    init(_ real: Double, _ imaginary: Double) { (self.real, self.imaginary) = (real, imaginary) }

    var conjugate: Complex { Complex(real, -imaginary) }
    var squaredLength: Double { real * real + imaginary * imaginary }

    static func + (a: Complex, b: Complex) -> Complex {
        Complex(a.real + b.real, a.imaginary + b.imaginary)
    }
    static func - (a: Complex, b: Complex) -> Complex {
        Complex(a.real - b.real, a.imaginary - b.imaginary)
    }
    static func * (a: Complex, b: Complex) -> Complex {
        Complex(
            a.real * b.real - a.imaginary * b.imaginary,
            a.real * b.imaginary + a.imaginary * b.real)
    }
    static func * (a: Complex, b: Double) -> Complex { Complex(a.real * b, a.imaginary * b) }
}

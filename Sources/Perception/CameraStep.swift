/// How the camera moved between two pictures: it takes points of the later one to where they were in
/// the earlier one. One complex factor and summand stand for turning, zooming and shifting.
package struct CameraStep {
    package var factor = Complex(1, 0)
    package var shift = Complex(0, 0)

    package init(factor: Complex = Complex(1, 0), shift: Complex = Complex(0, 0)) {
        (self.factor, self.shift) = (factor, shift)
    }

    package func callAsFunction(_ point: Point) -> Point {
        let moved = factor * Complex(point.x, point.y) + shift
        return Point(moved.real, moved.imaginary)
    }

    /// Returns this step after another that was made later.
    package func after(_ later: CameraStep) -> CameraStep {
        CameraStep(factor: factor * later.factor, shift: factor * later.shift + shift)
    }
}

/// Just enough of a complex number.
package struct Complex {
    package var real: Double
    package var imaginary: Double

    package init(_ real: Double, _ imaginary: Double) {
        (self.real, self.imaginary) = (real, imaginary)
    }

    package var conjugate: Complex { Complex(real, -imaginary) }
    package var squaredLength: Double { real * real + imaginary * imaginary }

    package static func + (a: Complex, b: Complex) -> Complex {
        Complex(a.real + b.real, a.imaginary + b.imaginary)
    }
    package static func - (a: Complex, b: Complex) -> Complex {
        Complex(a.real - b.real, a.imaginary - b.imaginary)
    }
    package static func * (a: Complex, b: Complex) -> Complex {
        Complex(
            a.real * b.real - a.imaginary * b.imaginary,
            a.real * b.imaginary + a.imaginary * b.real)
    }
    package static func * (a: Complex, b: Double) -> Complex {
        Complex(a.real * b, a.imaginary * b)
    }
}

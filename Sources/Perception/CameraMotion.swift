import Foundation
import Media
import Torch

/// Estimates the camera's motion from what is behind a person: displacements of textured blocks outside
/// of head and body, and the similarity that most of them agree on.
///
/// A block's displacement is found by phase correlation (Kuglin and Hines 1975) and one step of Lucas
/// and Kanade (1981). Where the background is too plain, too little, or of several minds, there is no
/// estimate. A value belongs to one thread at a time.
package struct CameraMotion {
    package init() {}

    private struct Gray {
        var values: [Float]
        var width: Int
        var height: Int
        /// The number of the picture's pixels that a sample stands for, along a side.
        var scale: Double
    }

    private var previous: (gray: Gray, head: Box)?

    /// The longest side with which pictures are looked at.
    private static let longest = 480.0
    static let block = 64
    private static let blockStep = 32
    /// The least squared change of brightness (0...255) a sample, in the direction where it is least.
    private static let leastTexture = 2.0
    private static let leastCorrelation = 0.8
    private static let fewestBlocks = 6
    /// The number of samples that a block may be off the common motion.
    private static let tolerance = 0.3
    /// The largest standard error of the camera's motion at the face, in samples.
    private static let largestError = 0.15

    /// - Parameter head: the person's head in this picture.
    /// - Returns: the step from this picture to the last; nil where it cannot be told, as for the first.
    package mutating func step(to frame: VideoFrame, head: Box) -> CameraStep? {
        let gray = Self.gray(frame)
        defer { previous = (gray, head) }
        guard let (before, headBefore) = previous, before.width == gray.width,
            before.height == gray.height
        else { return nil }
        let person = head.union(headBefore)
        let corners = Self.corners(in: gray).filter {
            !Self.isPerson($0, person, scale: gray.scale) && Self.texture(gray, at: $0)
                && Self.texture(before, at: $0)
        }
        guard corners.count >= Self.fewestBlocks else { return nil }
        let moves = Self.displacements(from: before, to: gray, corners)
        let face = Complex(person.centre.x / gray.scale, person.centre.y / gray.scale)
        return Self.agreement(moves, at: face).map {
            CameraStep(factor: $0.factor, shift: $0.shift * gray.scale)
        }
    }

    private static func gray(_ frame: VideoFrame) -> Gray {
        let scale = max(1, Double(max(frame.width, frame.height)) / longest)
        let width = Int(Double(frame.width) / scale), height = Int(Double(frame.height) / scale)
        let map = Affine(xx: scale, xy: 0, x0: 0, yx: 0, yy: scale, y0: 0)
        let colours = frame.pixels(map, width: width, height: height)
        let values = [Float](unsafeUninitializedCapacity: width * height) { buffer, count in
            for pixel in 0..<(width * height) {
                let (red, green) = (colours[pixel * 3], colours[pixel * 3 + 1])
                let blue = colours[pixel * 3 + 2]
                buffer[pixel] = 0.299 * red + 0.587 * green + 0.114 * blue
            }
            count = width * height
        }
        return Gray(values: values, width: width, height: height, scale: scale)
    }

    // MARK: Blocks

    /// The upper left corners of all blocks.
    private static func corners(in gray: Gray) -> [(x: Int, y: Int)] {
        guard gray.width >= block, gray.height >= block else { return [] }
        return stride(from: 0, through: gray.height - block, by: blockStep).flatMap { y in
            stride(from: 0, through: gray.width - block, by: blockStep).map { (x: $0, y: y) }
        }
    }

    /// Whether a block touches the head, with a little room, or what is below it as wide as shoulders.
    private static func isPerson(_ corner: (x: Int, y: Int), _ head: Box, scale: Double) -> Bool {
        let own = Box(
            left: Double(corner.x) * scale, top: Double(corner.y) * scale,
            right: Double(corner.x + block) * scale, bottom: Double(corner.y + block) * scale)
        let room = 0.1 * head.height, shoulders = 1.75 * head.width
        let wide = Box(
            left: head.left - room, top: head.top - room, right: head.right + room,
            bottom: head.bottom + room)
        let body = Box(
            left: head.centre.x - shoulders, top: head.bottom - 2 * room,
            right: head.centre.x + shoulders, bottom: .infinity)
        return own.intersection(wide).area > 0 || own.intersection(body).area > 0
    }

    /// Calls `body` with what changes across and down at each of a block's samples but those at its
    /// border.
    private static func gradients(
        _ gray: Gray, at corner: (x: Int, y: Int),
        _ body: (_ index: Int, _ across: Float, _ down: Float) -> Void
    ) {
        gray.values.withUnsafeBufferPointer { values in
            for y in (corner.y + 1)..<(corner.y + block - 1) {
                for x in (corner.x + 1)..<(corner.x + block - 1) {
                    let index = y * gray.width + x
                    body(
                        index, (values[index + 1] - values[index - 1]) / 2,
                        (values[index + gray.width] - values[index - gray.width]) / 2)
                }
            }
        }
    }

    /// Whether a block changes in every direction: else it could slide unseen.
    private static func texture(_ gray: Gray, at corner: (x: Int, y: Int)) -> Bool {
        var (xx, xy, yy) = (Float(0), Float(0), Float(0))
        gradients(gray, at: corner) { _, across, down in
            xx += across * across
            xy += across * down
            yy += down * down
        }
        let half = Double(xx + yy) / 2, difference = Double(xx - yy) / 2
        let least = half - (difference * difference + Double(xy) * Double(xy)).squareRoot()
        return least >= leastTexture * Double((block - 2) * (block - 2))
    }

    // MARK: Displacements

    /// Returns where blocks of the earlier picture have moved, of those that are found again.
    private static func displacements(
        from a: Gray, to b: Gray, _ corners: [(x: Int, y: Int)]
    ) -> [(centre: Complex, moved: Complex)] {
        let whole = phaseCorrelations(a, b, corners)
        return zip(corners, whole).compactMap { corner, shift in
            let there = (x: corner.x + shift.x, y: corner.y + shift.y)
            guard there.x >= 0, there.y >= 0, there.x + block <= b.width,
                there.y + block <= b.height,
                let rest = refined(a, corner, b, there)
            else { return nil }
            let middle = Double(block) / 2
            return (
                Complex(Double(corner.x) + middle, Double(corner.y) + middle),
                Complex(Double(shift.x), Double(shift.y)) + rest
            )
        }
    }

    /// Whole samples.
    private static func phaseCorrelations(
        _ a: Gray, _ b: Gray, _ corners: [(x: Int, y: Int)]
    ) -> [(x: Int, y: Int)] {
        let hann = (0..<block).map { 0.5 - 0.5 * cos(2 * .pi * (Double($0) + 0.5) / Double(block)) }
        let line = Tensor(hann.map(Float.init))
        let window = line.unsqueezed(1) * line.unsqueezed(0)
        func spectra(_ gray: Gray) -> Tensor {
            let picture = Tensor(gray.values, shape: [gray.height, gray.width])
            let blocks = stacked(
                corners.map { picture[$0.y..<($0.y + block), $0.x..<($0.x + block)] }, along: 0)
            return Operator.fft2((blocks - blocks.mean([1, 2], keepDim: true)) * window)
        }
        return withoutGradient {
            let cross = Operator.times(Operator.conjugate(spectra(a)), spectra(b))
            let phases = Operator.over(cross, Operator.length(cross) + 1e-3)
            let peaks: [Int] = Operator.inverseFFT2(phases, [block, block])
                .flattened(from: 1).argmax(1).array()
            return peaks.map { peak in
                let (x, y) = (peak % block, peak / block)
                return (x < block / 2 ? x : x - block, y < block / 2 ? y : y - block)
            }
        }
    }

    /// What is left of a displacement, by brightness and its change in both pictures; nil where the
    /// blocks are not alike.
    private static func refined(
        _ a: Gray, _ corner: (x: Int, y: Int), _ b: Gray, _ there: (x: Int, y: Int)
    ) -> Complex? {
        let offset = (there.y - corner.y) * b.width + there.x - corner.x
        var (xx, xy, yy, xt, yt) = (0.0, 0.0, 0.0, 0.0, 0.0)
        var (sumA, sumB, aa, bb, ab) = (0.0, 0.0, 0.0, 0.0, 0.0)
        gradients(a, at: corner) { index, across, down in
            let other = index + offset
            let gx = Double(across + (b.values[other + 1] - b.values[other - 1]) / 2) / 2
            let gy =
                Double(down + (b.values[other + b.width] - b.values[other - b.width]) / 2) / 2
            let (va, vb) = (Double(a.values[index]), Double(b.values[other]))
            (xx, xy, yy) = (xx + gx * gx, xy + gx * gy, yy + gy * gy)
            (xt, yt) = (xt + gx * (va - vb), yt + gy * (va - vb))
            (sumA, sumB) = (sumA + va, sumB + vb)
            (aa, bb, ab) = (aa + va * va, bb + vb * vb, ab + va * vb)
        }
        let count = Double((block - 2) * (block - 2))
        let correlation =
            (ab - sumA * sumB / count)
            / ((aa - sumA * sumA / count) * (bb - sumB * sumB / count)).squareRoot()
        let determinant = xx * yy - xy * xy
        guard correlation >= leastCorrelation, determinant > 0 else { return nil }
        let rest = Complex((yy * xt - xy * yt) / determinant, (xx * yt - xy * xt) / determinant)
        return rest.squaredLength <= 1 ? rest : nil
    }

    // MARK: Agreement

    /// The similarity from the later picture to the earlier one that most blocks agree on: least
    /// absolute deviations, by least squares weighted anew. Of blocks that stay where they are in both
    /// pictures, what they show was half the displacement before, and is half of it behind.
    ///
    /// - Parameter face: where the step has to be exact.
    private static func agreement(
        _ moves: [(centre: Complex, moved: Complex)], at face: Complex
    ) -> CameraStep? {
        guard moves.count >= fewestBlocks else { return nil }
        let from = moves.map { $0.centre + $0.moved * 0.5 }
        let to = moves.map { $0.centre - $0.moved * 0.5 }
        var weights = [Double](repeating: 1, count: moves.count)
        var step = CameraStep()
        var spread = 0.0, middle = Complex(0, 0)
        func fit() {
            let total = weights.reduce(0, +)
            middle = zip(weights, from).reduce(Complex(0, 0)) { $0 + $1.1 * $1.0 } * (1 / total)
            let target = zip(weights, to).reduce(Complex(0, 0)) { $0 + $1.1 * $1.0 } * (1 / total)
            var product = Complex(0, 0)
            spread = 0
            for index in moves.indices {
                let offset = from[index] - middle
                product = product + offset.conjugate * (to[index] - target) * weights[index]
                spread += offset.squaredLength * weights[index]
            }
            step.factor = spread > 0 ? product * (1 / spread) : Complex(1, 0)
            step.shift = target - step.factor * middle
        }
        func residuals() -> [Double] {
            moves.indices.map {
                (step.factor * from[$0] + step.shift - to[$0]).squaredLength.squareRoot()
            }
        }
        for _ in 0..<20 {
            fit()
            weights = residuals().map { 1 / max($0, 0.02) }
        }
        weights = residuals().map { $0 <= tolerance ? 1 : 0 }
        let agreeing = weights.reduce(0, +)
        guard agreeing >= max(Double(fewestBlocks), 2 * Double(moves.count) / 3) else { return nil }
        fit()
        let squares = zip(weights, residuals()).reduce(0) { $0 + $1.0 * $1.1 * $1.1 }
        let variance = squares / max(1, 2 * agreeing - 4)
        let error =
            variance * (1 / agreeing + (face - middle).squaredLength / max(spread, 1e-9))
        return error.squareRoot() <= largestError ? step : nil
    }
}

extension Operator {
    fileprivate static let fft2 = Operator("aten::fft_rfft2")
    fileprivate static let inverseFFT2 = Operator("aten::fft_irfft2")
    fileprivate static let conjugate = Operator("aten::conj_physical")
    fileprivate static let times = Operator("aten::mul", "Tensor")
    fileprivate static let over = Operator("aten::div", "Tensor")
    fileprivate static let length = Operator("aten::abs")
}

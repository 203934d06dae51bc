import Foundation

/// Opens, shuts, rounds and spreads the mouth of a portrait.
///
/// The picture is warped along the mouth's own axes. What lies above the line between the lips moves with the
/// upper lip, what lies below moves with the jaw, down to the chin and fading out over the neck; the lips part
/// exactly along their inner edges, as the mesh has them, and what appears between is painted. Lips that are
/// parted in the portrait are brought together first.
struct MouthWarp {
    /// The greatest opening between the lips, in eye distances.
    static let greatestOpening = 0.36
    /// The share of the opening by which the upper lip rises.
    private static let upperShare: Float = 0.16

    private let frame: FeatureFrame
    /// The inner edges of the lips in the portrait, and the line along which they meet.
    private let upper: Curve, lower: Curve, closed: Curve
    /// Distances from the lips' inner edges, in the middle of the mouth.
    private let upperLip: Float, lowerLip: Float, nose: Float, chin: Float
    /// How far below the chin the jaw's motion reaches, and how far to its sides.
    private let neck: Float, jaw: Float
    private let eyeDistance: Float
    /// Whether the portrait shows teeth: those are then seen in the open mouth too.
    private let showsTeeth: Bool

    init(_ face: PortraitFace) {
        let frame = FeatureFrame(left: face.point(78), right: face.point(308))
        let upper = frame.curve(through: [191, 80, 81, 82, 13, 312, 311, 310, 415], of: face)
        let lower = frame.curve(through: [95, 88, 178, 87, 14, 317, 402, 318, 324], of: face)
        func v(_ index: Int) -> Float { frame.local(face.point(index)).y }
        (self.frame, self.upper, self.lower) = (frame, upper, lower)
        closed = upper.mixed(with: lower, 0.2)
        eyeDistance = face.eyeDistance
        upperLip = max(1, upper(0) - v(0))
        lowerLip = max(1, v(17) - lower(0))
        nose = max(2 * upperLip, upper(0) - v(2))
        chin = max(2 * lowerLip, v(152) - lower(0))
        neck = 0.7 * eyeDistance
        jaw = Float(0.42 * face.face.width)
        showsTeeth = lower(0) - upper(0) > 0.035 * eyeDistance
    }

    /// A mouth in one frame.
    ///
    /// - Parameters:
    ///   - opening: the distance between the lips in the middle, in eye distances.
    ///   - spread: -1 rounded, 0 as in the portrait, 1 spread.
    func shape(opening: Double, spread: Double) -> Shape {
        let gap = Float(opening) * eyeDistance
        return Shape(
            warp: self, rise: Self.upperShare * gap, drop: (1 - Self.upperShare) * gap,
            squeeze: Float(spread < 0 ? -0.42 * spread : -0.14 * spread))
    }

    /// How wide the mouth is from corner to corner, over its width in the portrait.
    func width(spread: Double) -> Double {
        let shape = shape(opening: 0, spread: spread)
        var (low, high) = (Float(0.4), Float(1.6))
        for _ in 0..<30 {
            let middle = (low + high) / 2
            let u = middle * frame.halfWidth
            if shape.squeezed(u, 0) < frame.halfWidth { low = middle } else { high = middle }
        }
        return Double(low)
    }

    /// The mouth of one frame.
    struct Shape {
        fileprivate let warp: MouthWarp
        /// The ways of the upper lip up and of the lower lip down.
        fileprivate let rise: Float, drop: Float
        /// How much nearer to the middle the corners are.
        fileprivate let squeeze: Float

        /// u in the portrait of what is seen at u and v.
        @inline(__always)
        fileprivate func squeezed(_ u: Float, _ v: Float) -> Float {
            let (x, y) = (u / (2.3 * warp.frame.halfWidth), v / (1.25 * warp.frame.halfWidth))
            let rest = max(0, 1 - x * x - y * y)
            return u * (1 + squeeze * rest * rest)
        }

        /// The outline of an open lip: 1 in the middle of the mouth, 0 at its corners and beyond.
        @inline(__always)
        private func arch(_ t: Float) -> Float { max(0, 1 - t * t) }

        /// Where in the portrait something is that is seen at a point of the neutral head, and how much of
        /// the pixel shows the inside of the mouth, in which colour.
        ///
        /// - Parameter pixel: the size of a pixel: edges are that soft.
        @inline(__always)
        func source(
            of point: SIMD2<Float>, _ sampler: PictureSampler
        ) -> (point: SIMD2<Float>, inside: Float, colour: SIMD4<Float>) {
            let seen = warp.frame.local(point)
            let reach = warp.jaw + warp.frame.halfWidth
            guard abs(seen.x) < reach, seen.y > -1.5 * warp.nose - rise,
                seen.y < warp.chin + warp.neck + drop + warp.lowerLip
            else { return (point, 0, .zero) }
            let u = squeezed(seen.x, seen.y)
            let middle = warp.closed(u)
            let opened = arch(u / warp.frame.halfWidth)
            let (top, bottom) = (middle - rise * opened, middle + drop * opened)
            let line = (top + bottom) / 2

            var v = seen.y
            if v <= line {
                v -= upperShift(u, distance: max(0, top - v), opened, middle)
            } else {
                v -= lowerShift(u, distance: max(0, v - bottom), middle)
            }
            let source = warp.frame.picture(SIMD2(u, v))

            // Lips that are shut leave a thin dark line between them.
            let inside =
                min(1, max(0, seen.y - top + 0.5)) * min(1, max(0, bottom - seen.y + 0.5))
            guard inside > 0 else { return (source, 0, .zero) }
            let gap = bottom - top
            let isWithin = min(1, max(0, (warp.frame.halfWidth - abs(u)) / 3))
            return (
                source, inside * isWithin * min(1, 0.6 + gap / 4),
                colour(u, seen.y, top: top, bottom: bottom, middle, sampler)
            )
        }

        /// How far down something above the mouth has moved.
        @inline(__always)
        private func upperShift(
            _ u: Float, distance: Float, _ opened: Float, _ middle: Float
        ) -> Float {
            let fade =
                1 - smoothStep((distance - warp.upperLip) / max(1, warp.nose - warp.upperLip))
            return (middle - warp.upper(u) - rise * opened) * fade
        }

        /// How far down something below the mouth has moved.
        @inline(__always)
        private func lowerShift(_ u: Float, distance: Float, _ middle: Float) -> Float {
            let lip = arch(u / warp.frame.halfWidth)
            let chin = 1 - smoothStep((abs(u) / warp.jaw - 0.35) / 0.65)
            let jaw = lip + (chin - lip) * smoothStep(distance / (1.1 * warp.chin))
            let overNeck = 1 - smoothStep((distance - warp.chin) / warp.neck)
            let overChin =
                1 - smoothStep((distance - warp.lowerLip) / max(1, warp.chin - warp.lowerLip))
            return drop * jaw * overNeck + (middle - warp.lower(u)) * overChin
        }

        /// The inside of the mouth: teeth that belong to the skull, a tongue that belongs to the jaw.
        @inline(__always)
        private func colour(
            _ u: Float, _ v: Float, top: Float, bottom: Float, _ middle: Float,
            _ sampler: PictureSampler
        ) -> SIMD4<Float> {
            let unit = warp.eyeDistance
            let depth = min(1, max(0, (v - top) / (0.3 * unit)))
            var colour = SIMD4<Float>(58, 22, 22, 0) - SIMD4<Float>(26, 12, 11, 0) * depth
            // the tongue lies on the floor of the mouth
            let x = u / (0.75 * warp.frame.halfWidth)
            let tongueTop = bottom - 0.42 * drop * max(0, 1 - x * x)
            let tongue = smoothStep((v - tongueTop) / (0.05 * unit)) * 0.75
            colour += (SIMD4<Float>(142, 66, 66, 0) - colour) * tongue
            // the upper teeth end a little below where the lips meet
            let (upper, lower) = (warp.upper(u), warp.lower(u))
            if warp.showsTeeth {
                let soft = 0.02 * unit
                let seen =
                    smoothStep((v - upper) / soft) * smoothStep((lower - soft / 2 - v) / soft)
                if seen > 0 {
                    let teeth = sampler.colour(at: warp.frame.picture(SIMD2(u, v)))
                    colour += (teeth - colour) * seen
                }
            } else {
                let edge = middle + 0.035 * unit * max(0, 1 - x * x)
                let seen = smoothStep((edge - v) / (0.02 * unit))
                let tooth = abs(sin(.pi * u / (0.11 * unit)))
                let shade = (0.78 + 0.22 * min(1, 3 * tooth)) * max(0.35, 1 - 0.5 * x * x)
                colour += (SIMD4<Float>(214, 204, 190, 0) * shade - colour) * seen
            }
            // the upper lip throws a shadow
            return colour * (0.6 + 0.4 * smoothStep((v - top) / (0.07 * unit)))
        }
    }
}

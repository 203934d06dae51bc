/// The coordinates of one part of a face: u along it, from the picture's left to its right, and v down.
struct FeatureFrame {
    let origin: SIMD2<Float>
    private let across: SIMD2<Float>
    private let down: SIMD2<Float>
    /// Half of the distance between its corners.
    let halfWidth: Float

    /// - Parameters:
    ///   - left: the corner on the picture's left.
    ///   - right: the one on its right.
    init(left: SIMD2<Float>, right: SIMD2<Float>) {
        origin = (left + right) / 2
        let way = right - left
        halfWidth = (way * way).sum().squareRoot() / 2
        across = way / (2 * halfWidth)
        down = SIMD2(-across.y, across.x)
    }

    @inline(__always)
    func local(_ point: SIMD2<Float>) -> SIMD2<Float> {
        let way = point - origin
        return SIMD2((way * across).sum(), (way * down).sum())
    }

    @inline(__always)
    func picture(_ local: SIMD2<Float>) -> SIMD2<Float> {
        origin + local.x * across + local.y * down
    }

    /// The curve through some of a mesh's points, in these coordinates.
    func curve(through indices: [Int], of face: PortraitFace) -> Curve {
        Curve(through: indices.map { local(face.point($0)) }, halfWidth: halfWidth)
    }
}

/// A smooth function of u, tabulated: v along a lip or a lid.
struct Curve {
    private static let steps = 96
    private let values: [Float]
    private let first: Float
    private let perStep: Float

    /// A curve through points from left to right; 0 beyond `halfWidth`, where the corners are.
    init(through points: [SIMD2<Float>], halfWidth: Float) {
        let known =
            [SIMD2(-halfWidth, 0)] + points.filter { abs($0.x) < halfWidth * 0.98 }
            + [SIMD2(halfWidth, 0)]
        let reach = halfWidth * 1.2
        let step = 2 * reach / Float(Self.steps)
        var values = (0...Self.steps).map { index -> Float in
            let u = -reach + Float(index) * step
            guard let next = known.firstIndex(where: { $0.x > u }), next > 0 else { return 0 }
            let (a, b) = (known[next - 1], known[next])
            return a.y + (b.y - a.y) * (u - a.x) / max(b.x - a.x, 1e-3)
        }
        // Rounds off the corners between the points.
        for _ in 0..<12 {
            let old = values
            for index in 1..<Self.steps {
                values[index] = (old[index - 1] + 2 * old[index] + old[index + 1]) / 4
            }
        }
        self.values = values
        first = -reach
        perStep = 1 / step
    }

    private init(values: [Float], first: Float, perStep: Float) {
        (self.values, self.first, self.perStep) = (values, first, perStep)
    }

    @inline(__always)
    func callAsFunction(_ u: Float) -> Float {
        let position = (u - first) * perStep
        guard position > 0, position < Float(Self.steps) else { return 0 }
        let index = Int(position)
        return values[index] + (values[index + 1] - values[index]) * (position - Float(index))
    }

    /// The curve between this one and another of the same part: at `share` of the way.
    func mixed(with other: Curve, _ share: Float) -> Curve {
        Curve(
            values: zip(values, other.values).map { $0 + ($1 - $0) * share }, first: first,
            perStep: perStep)
    }
}

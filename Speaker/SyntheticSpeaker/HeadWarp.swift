import Foundation
import Perception

/// Turns, nods, leans and moves the head of a portrait, by the depth of its mesh.
///
/// The head turns in space about a point in the neck; from the head's edge outward the motion fades, so that
/// the background stays.
struct HeadWarp {
    /// The number of cells of the grid along each side; between its nodes the warp is bilinear.
    private static let cells = 64
    private let spacing: Float
    /// The point about which the head turns, in space.
    private let pivot: SIMD3<Float>
    /// At the nodes: how much of the head's motion they share, and their depth.
    private let shares: [Float], depths: [Float]
    private let eyeDistance: Float

    init(_ face: PortraitFace) {
        spacing = Float(face.size) / Float(Self.cells)
        eyeDistance = face.eyeDistance
        let height = Float(face.face.height)
        let surface = HeadSurface(face)
        pivot = SIMD3(
            Float(face.face.centre.x), Float(face.face.bottom) + 0.05 * height,
            surface.pivotDepth)
        var shares: [Float] = [], depths: [Float] = []
        for row in 0...Self.cells {
            for column in 0...Self.cells {
                let point = SIMD2(Float(column), Float(row)) * spacing
                shares.append(surface.share(at: point))
                depths.append(surface.depth(at: point))
            }
        }
        (self.shares, self.depths) = (shares, depths)
    }

    /// How much of a point belongs to the head: 1 inside it, 0 in the background.
    @inline(__always)
    func share(at point: SIMD2<Float>) -> Float {
        shares.withUnsafeBufferPointer { Self.interpolated($0, at: point / spacing) }
    }

    /// Where a point of the portrait is seen.
    func position(of point: SIMD2<Float>, _ state: HeadState) -> SIMD2<Float> {
        let turn = HeadTurn(state, pivot: pivot, eyeDistance: eyeDistance)
        let at = point / spacing
        let depth = depths.withUnsafeBufferPointer { Self.interpolated($0, at: at) }
        let share = shares.withUnsafeBufferPointer { Self.interpolated($0, at: at) }
        return point + turn.way(of: point, depth: depth) * share
    }

    /// The warp of one frame.
    func map(_ state: HeadState) -> HeadMap {
        let turn = HeadTurn(state, pivot: pivot, eyeDistance: eyeDistance)
        let side = Self.cells + 1
        // the way of every node, in cells
        let ways = (0..<(side * side)).map { index -> SIMD2<Float> in
            let point = SIMD2(Float(index % side), Float(index / side)) * spacing
            return turn.way(of: point, depth: depths[index]) * shares[index] / spacing
        }
        // what is seen at p comes from q = p - way(q)
        let sources = ways.withUnsafeBufferPointer { ways in
            ways.indices.map { index -> SIMD2<Float> in
                let seen = SIMD2(Float(index % side), Float(index / side))
                var source = seen - ways[index]
                for _ in 0..<4 { source = seen - Self.interpolated(ways, at: source) }
                return source * spacing
            }
        }
        return HeadMap(sources: sources, spacing: spacing, cells: Self.cells)
    }

    /// A value between nodes; beyond the grid that of its edge.
    @inline(__always)
    private static func interpolated(
        _ values: UnsafeBufferPointer<SIMD2<Float>>, at point: SIMD2<Float>
    ) -> SIMD2<Float> {
        let (index, fraction) = cell(at: point)
        let side = cells + 1
        let top = values[index] + (values[index + 1] - values[index]) * fraction.x
        let bottom =
            values[index + side] + (values[index + side + 1] - values[index + side]) * fraction.x
        return top + (bottom - top) * fraction.y
    }

    @inline(__always)
    private static func interpolated(
        _ values: UnsafeBufferPointer<Float>, at point: SIMD2<Float>
    ) -> Float {
        let (index, fraction) = cell(at: point)
        let side = cells + 1
        let top = values[index] + (values[index + 1] - values[index]) * fraction.x
        let bottom =
            values[index + side] + (values[index + side + 1] - values[index + side]) * fraction.x
        return top + (bottom - top) * fraction.y
    }

    @inline(__always)
    private static func cell(at point: SIMD2<Float>) -> (index: Int, fraction: SIMD2<Float>) {
        let last = Float(cells) - 0.001
        let x = min(max(0, point.x), last), y = min(max(0, point.y), last)
        let column = Int(x), row = Int(y)
        return (row * (cells + 1) + column, SIMD2(x - Float(column), y - Float(row)))
    }
}

/// Where in the portrait is what is seen in one frame.
struct HeadMap {
    fileprivate let sources: [SIMD2<Float>]
    fileprivate let spacing: Float
    fileprivate let cells: Int

    /// Calls a body with every pixel of a row, and the point of the portrait that is seen there.
    @inline(__always)
    func forEachPixel(ofRow row: Int, size: Int, _ body: (Int, SIMD2<Float>) -> Void) {
        let y = (Float(row) + 0.5) / spacing
        let cellRow = min(Int(y), cells - 1)
        let fy = y - Float(cellRow)
        sources.withUnsafeBufferPointer { sources in
            for column in 0..<size {
                let x = (Float(column) + 0.5) / spacing
                let cell = min(Int(x), cells - 1)
                let index = cellRow &* (cells &+ 1) &+ cell
                let fx = x - Float(cell)
                let top = sources[index] + (sources[index &+ 1] - sources[index]) * fx
                let next = index &+ cells &+ 1
                let bottom = sources[next] + (sources[next &+ 1] - sources[next]) * fx
                body(column, top + (bottom - top) * fy)
            }
        }
    }
}

/// A rigid motion of a head in space, seen from the front.
private struct HeadTurn {
    private let yaw: SIMD2<Float>, pitch: SIMD2<Float>, roll: SIMD2<Float>
    private let pivot: SIMD3<Float>
    private let shift: SIMD2<Float>
    private let scale: Float

    init(_ state: HeadState, pivot: SIMD3<Float>, eyeDistance: Float) {
        func angle(_ degrees: Double) -> SIMD2<Float> {
            SIMD2(Float(cos(degrees * .pi / 180)), Float(sin(degrees * .pi / 180)))
        }
        (yaw, pitch, roll) = (angle(state.yaw), angle(state.pitch), angle(state.roll))
        self.pivot = pivot
        shift = SIMD2(Float(state.x), Float(state.y)) * eyeDistance
        scale = Float(state.scale)
    }

    @inline(__always)
    func way(of point: SIMD2<Float>, depth: Float) -> SIMD2<Float> {
        var x = point.x - pivot.x, y = point.y - pivot.y, z = depth - pivot.z
        (x, z) = (x * yaw.x - z * yaw.y, x * yaw.y + z * yaw.x)
        y = y * pitch.x + z * pitch.y
        (x, y) = (x * roll.x - y * roll.y, x * roll.y + y * roll.x)
        return SIMD2(pivot.x + x * scale, pivot.y + y * scale) + shift - point
    }
}

/// The depth of a head, and where it ends.
private struct HeadSurface {
    private let face: PortraitFace
    private let centre: SIMD2<Float>, radii: SIMD2<Float>
    private let height: Float
    /// The depth of the axis about which the head turns.
    let pivotDepth: Float

    init(_ face: PortraitFace) {
        self.face = face
        centre = SIMD2(Float(face.head.centre.x), Float(face.head.centre.y))
        radii = SIMD2(Float(face.head.width), Float(face.head.height)) / 2
        height = Float(face.face.height)
        // The mesh's mean depth is near 0.
        pivotDepth = 0.4 * height
    }

    /// 1 within the head, falling to 0 around it.
    func share(at point: SIMD2<Float>) -> Float {
        let way = (point - centre) / radii
        let distance = (way * way).sum().squareRoot()
        return 1 - smoothStep((distance - 0.95) / 0.8)
    }

    /// The mesh's depth where there is a face, that of a skull beside it.
    func depth(at point: SIMD2<Float>) -> Float {
        let way = (point - centre) / radii
        let skull = pivotDepth - 0.5 * height * max(0, 1 - (way * way).sum())
        let width = 0.06 * height
        var weights: Float = 0.2
        var sum = skull * weights
        for vertex in face.mesh {
            let way = SIMD2(vertex.x, vertex.y) - point
            let squared = (way * way).sum() / (2 * width * width)
            guard squared < 9 else { continue }
            let weight = exp(-squared)
            weights += weight
            sum += weight * vertex.z
        }
        return sum / weights
    }
}

import Foundation
import Perception
import TestSupport
import Testing

@Suite struct LipShapeTests {
    /// A face of FaceMesh's 468 points: an ellipsoid of noise, its lips where lips are.
    ///
    /// - Parameter gap: between the inner lips.
    private func face(gap: Double = 0.1) -> [SIMD3<Double>] {
        var numbers = FixedNumbers(3)
        var mesh = (0..<468).map { _ in
            SIMD3(
                Double.random(in: -0.7...0.7, using: &numbers),
                Double.random(in: -0.5...1.3, using: &numbers),
                Double.random(in: -0.3...0.6, using: &numbers))
        }
        for (point, value) in stable { mesh[point] = value }
        for (upper, lower) in [(13, 14), (82, 87), (312, 317)] {
            mesh[upper] = [0, 0.85 - gap / 2, -0.3]
            mesh[lower] = [0, 0.85 + gap / 2, -0.3]
        }
        return mesh
    }

    /// Some of a head's points: corners of the eyes, nose, forehead, temples, brows.
    private let stable: [Int: SIMD3<Double>] = [
        33: [-0.5, 0.1, 0.06], 263: [0.5, 0.1, 0.06], 133: [-0.2, 0.1, 0], 362: [0.2, 0.1, 0],
        168: [0, 0.02, -0.2], 6: [0, 0.1, -0.2], 197: [0, 0.2, -0.3], 195: [0, 0.3, -0.4],
        5: [0, 0.3, -0.4], 98: [-0.2, 0.6, -0.2], 327: [0.2, 0.6, -0.2], 10: [0, -0.5, -0.1],
        9: [0, -0.2, -0.2], 8: [0, -0.1, -0.2], 151: [0, -0.4, -0.1], 109: [-0.2, -0.5, -0.1],
        338: [0.2, -0.5, -0.1], 67: [-0.4, -0.5, 0], 297: [0.4, -0.5, 0],
        127: [-0.8, 0.2, 0.6], 356: [0.8, 0.2, 0.6], 234: [-0.8, 0.4, 0.6], 454: [0.8, 0.4, 0.6],
        70: [-0.6, -0.1, 0.1], 300: [0.6, -0.1, 0.1], 105: [-0.5, -0.2, -0.1],
        334: [0.5, -0.2, -0.1],
    ]

    @Test(arguments: [(40.0, 0.0, 0.0), (0, 25, 0), (0, 0, 30), (-35, 15, -20)])
    func turningAndComingNearerChangesNothing(angles: (Double, Double, Double)) throws {
        let still = try #require(LipShape(mesh: face()))
        let (yaw, pitch, roll) = (angles.0 * .pi / 180, angles.1 * .pi / 180, angles.2 * .pi / 180)
        let moved = face().map { point -> SIMD3<Double> in
            var p = point
            p = [p.x * cos(yaw) + p.z * sin(yaw), p.y, p.z * cos(yaw) - p.x * sin(yaw)]
            p = [p.x, p.y * cos(pitch) - p.z * sin(pitch), p.z * cos(pitch) + p.y * sin(pitch)]
            p = [p.x * cos(roll) - p.y * sin(roll), p.y * cos(roll) + p.x * sin(roll), p.z]
            return p * 137 + [320, 180, 12]
        }
        let shape = try #require(LipShape(mesh: moved))
        for (a, b) in zip(shape.values, still.values) { #expect(abs(a - b) < 1e-5) }
    }

    @Test func aGapIsAGapInEyeDistances() throws {
        let (shut, open) = (
            try #require(LipShape(mesh: face(gap: 0))), try #require(LipShape(mesh: face(gap: 0.2)))
        )
        for index in 0..<3 {
            #expect(abs(shut.values[index]) < 1e-6)
            #expect(abs(open.values[index] - 0.2) < 0.01)
        }
        #expect(shut.values[4] == open.values[4])
    }

    @Test func whatIsNoFaceHasNoLips() {
        #expect(LipShape(mesh: Array(repeating: [1, 2, 3], count: 468)) == nil)
        #expect(LipShape(mesh: face().map { [$0.x, $0.y, 0] }) == nil)
        #expect(LipShape(mesh: face().map { [-$0.x, $0.y, $0.z] }) == nil)
        #expect(LipShape(mesh: face().map { _ in [.nan, 0, 0] }) == nil)
    }
}

import Foundation
import Media

/// MediaPipe's FaceMesh: 468 points with depth, from a 192x192 picture of one face.
///
/// Reference: MediaPipe's `face_landmark_cpu.pbtxt` and `face_detection_front_detection_to_roi.pbtxt`:
/// a square 1.5 times the face, turned so that the eyes are level.
public final class FaceMesh: LandmarkNetwork {
    private let network: Network
    private let pointOutput: Int
    private let presenceOutput: Int
    private static let size = 192
    private static let pointCount = 468
    private static let regionScale = 1.5

    /// - Parameter path: the network's file; nil for the embedded one.
    /// - Throws: `LoopyError` that names the file.
    public init(path: String? = nil) throws {
        network = try Network(path: path ?? EmbeddedNetwork.faceMesh.path)
        try network.run()
        pointOutput = try network.output(ofCount: FaceMesh.pointCount * 3)
        presenceOutput = try network.output(ofCount: 1)
    }

    public func region(for detection: FaceDetection) -> FaceRegion {
        let angle = atan2(
            detection.rightEye.y - detection.leftEye.y, detection.rightEye.x - detection.leftEye.x)
        return FaceRegion(around: detection.box, angle: angle, scale: FaceMesh.regionScale)
    }

    public func landmarks(in frame: VideoFrame, region: FaceRegion) throws -> FaceLandmarks {
        let map = region.map(size: FaceMesh.size)
        let (mesh, presence) = try look(at: frame, map)

        let box = Box(around: mesh.lazy.map { Point($0.x, $0.y) })
        let eyes = mesh[MeshPoint.rightEyeOuter] - mesh[MeshPoint.leftEyeOuter]
        let (sharpness, brightness) = appearance(of: box, map: map)
        return FaceLandmarks(
            points: MeshPoint.ibug68.map { Point(mesh[$0].x, mesh[$0].y) },
            confidences: [Float](repeating: Float(presence), count: IBUG68.count),
            box: box, pose: FaceMesh.pose(of: mesh), presence: presence, sharpness: sharpness,
            brightness: brightness,
            region: FaceRegion(
                around: box, angle: atan2(eyes.y, eyes.x), scale: FaceMesh.regionScale),
            lips: LipShape(mesh: mesh))
    }

    /// All 468 points of the face in a region: x and y in pixels of the upright picture, and depth in the
    /// same unit, which grows away from the camera.
    package func mesh(in frame: VideoFrame, region: FaceRegion) throws -> [SIMD3<Double>] {
        try look(at: frame, region.map(size: FaceMesh.size)).mesh
    }

    /// - Parameter map: maps the network's input to the picture.
    private func look(
        at frame: VideoFrame, _ map: Affine
    ) throws -> (mesh: [SIMD3<Double>], presence: Double) {
        // cut the face out of the planes, 0...1
        frame.sample(
            map, width: FaceMesh.size, height: FaceMesh.size, border: .replicate, scale: 1 / 255,
            into: network.inputs[0])
        try network.run()

        // back to the picture; depth in the same unit
        let depthScale = (map.xx * map.xx + map.yx * map.yx).squareRoot()
        let mesh = try network.withOutput(pointOutput) { values in
            (0..<FaceMesh.pointCount).map { index -> SIMD3<Double> in
                let point = map(Double(values[index * 3]), Double(values[index * 3 + 1]))
                return SIMD3(point.x, point.y, Double(values[index * 3 + 2]) * depthScale)
            }
        }
        let presence = try network.withOutput(presenceOutput) { 1 / (1 + exp(-Double($0[0]))) }
        return (mesh, presence)
    }

    /// The face's axes, each a mean over lines that are parallel on a symmetric face.
    private static func pose(of mesh: [SIMD3<Double>]) -> HeadPose {
        func direction(_ pairs: [(Int, Int)]) -> SIMD3<Double> {
            pairs.reduce(SIMD3<Double>.zero) { $0 + mesh[$1.1] - mesh[$1.0] }
        }
        return HeadPose(
            across: direction(MeshPoint.symmetricPairs), down: direction(MeshPoint.verticalPairs))
    }

    /// The detail and the brightness of the middle of the network's input, where the face is.
    private func appearance(of box: Box, map: Affine) -> (sharpness: Double, brightness: Double) {
        let pixels = network.inputs[0]
        let size = FaceMesh.size
        let inner = size / 5..<(size - size / 5)
        func luma(_ x: Int, _ y: Int) -> Float {
            let at = (y * size + x) * 3
            return 0.299 * pixels[at] + 0.587 * pixels[at + 1] + 0.114 * pixels[at + 2]
        }
        var detail: Float = 0, light: Float = 0, squared: Float = 0
        var count: Float = 0
        // Every second row and column is enough for a mean.
        for y in stride(from: inner.lowerBound, to: inner.upperBound, by: 2) {
            for x in stride(from: inner.lowerBound, to: inner.upperBound, by: 2) {
                let centre = luma(x, y)
                let around = luma(x - 1, y) + luma(x + 1, y) + luma(x, y - 1) + luma(x, y + 1)
                detail += abs(around - 4 * centre)
                light += centre
                squared += centre * centre
                count += 1
            }
        }
        let brightness = light / count
        let deviation = max(0, squared / count - brightness * brightness).squareRoot()
        return (Double(detail / count / max(deviation, 0.01)), Double(brightness))
    }
}

/// Indices of FaceMesh's 468 points.
enum MeshPoint {
    static let leftEyeOuter = 33
    static let rightEyeOuter = 263

    /// Pairs of (picture's left, picture's right): outer eyes, temples, cheeks, jaw, mouth, brows.
    static let symmetricPairs = [
        (33, 263), (127, 356), (234, 454), (93, 323), (58, 288), (61, 291), (70, 300),
    ]
    /// Pairs of (upper, lower): forehead to chin, brows to jaw on either side.
    static let verticalPairs = [(10, 152), (109, 148), (338, 377)]

    /// The mesh's vertices that stand where the 68 points of iBUG do.
    static let ibug68 = [
        // jaw
        162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
        // brows
        71, 63, 105, 66, 107, 336, 296, 334, 293, 301,
        // nose
        168, 197, 5, 4, 75, 97, 2, 326, 305,
        // eyes
        33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
        // outer lips
        61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
        // inner lips
        78, 82, 13, 312, 308, 317, 14, 87,
    ]
}

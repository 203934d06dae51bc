import Foundation
import Media

/// MediaPipe's face detector, short range (128x128, 896 anchors, faces near the camera) or full
/// range (192x192, 2304 anchors, small faces too).
///
/// Reference: MediaPipe's `face_detection_short_range.pbtxt` and `face_detection_full_range.pbtxt`:
/// anchors of fixed size, boxes and six key points relative to them, weighted suppression.
public final class BlazeFace: FaceDetector {
    /// Whether faces are near, or small ones are looked for too.
    public enum Range: Sendable { case short, full }

    private let network: Network
    private let size: Int
    private let anchors: [Point]
    private let minimumScore: Double
    private var scoreOutput = 0, boxOutput = 0
    private static let valuesPerAnchor = 16

    /// - Parameter path: the network's file; nil for the embedded one.
    /// - Throws: `LoopyError` that names the file.
    public init(_ range: Range, path: String? = nil) throws {
        switch range {
        case .short:
            network = try Network(path: path ?? EmbeddedNetwork.blazeFaceShortRange.path)
            size = 128
            anchors = BlazeFace.anchors(grids: [(16, 2), (8, 6)])
            minimumScore = 0.5
        case .full:
            network = try Network(path: path ?? EmbeddedNetwork.blazeFaceFullRange.path)
            size = 192
            anchors = BlazeFace.anchors(grids: [(48, 1)])
            minimumScore = 0.6
        }
        try network.run()
        scoreOutput = try network.output(ofCount: anchors.count)
        boxOutput = try network.output(ofCount: anchors.count * BlazeFace.valuesPerAnchor)
    }

    public func detect(in frame: VideoFrame) throws -> [FaceDetection] {
        // letterbox the whole picture, -1...1
        let side = Double(max(frame.width, frame.height))
        let scale = side / Double(size)
        let left = (side - Double(frame.width)) / 2, top = (side - Double(frame.height)) / 2
        let map = Affine(xx: scale, xy: 0, x0: -left, yx: 0, yy: scale, y0: -top)
        frame.sample(
            map, width: size, height: size, border: .black, scale: 1 / 127.5, bias: -1,
            into: network.inputs[0])
        try network.run()

        // decode the anchors that see a face
        let scores = try network.withOutput(scoreOutput) { Array($0) }
        let found = try network.withOutput(boxOutput) { values in
            scores.indices.compactMap { index -> FaceDetection? in
                let score = 1 / (1 + exp(-Double(scores[index])))
                guard score >= minimumScore else { return nil }
                let start = index * BlazeFace.valuesPerAnchor
                func point(_ offset: Int) -> Point {
                    let x = Double(values[start + offset]) / Double(size) + anchors[index].x
                    let y = Double(values[start + offset + 1]) / Double(size) + anchors[index].y
                    return Point(x * side - left, y * side - top)
                }
                let centre = point(0)
                let width = Double(values[start + 2]) * scale
                let height = Double(values[start + 3]) * scale
                let box = Box(
                    left: centre.x - width / 2, top: centre.y - height / 2,
                    right: centre.x + width / 2, bottom: centre.y + height / 2)
                return FaceDetection(
                    box: box, score: score, leftEye: point(4), rightEye: point(6))
            }
        }
        return BlazeFace.weightedSuppression(found)
    }

    /// The centres of anchors, 0...1, row by row, `count` in each cell.
    package static func anchors(grids: [(cells: Int, count: Int)]) -> [Point] {
        grids.flatMap { grid in
            (0..<(grid.cells * grid.cells * grid.count)).map { index in
                let cell = index / grid.count
                return Point(
                    (Double(cell % grid.cells) + 0.5) / Double(grid.cells),
                    (Double(cell / grid.cells) + 0.5) / Double(grid.cells))
            }
        }
    }

    /// Detections that overlap by more than 0.3 become their mean, weighted by score.
    package static func weightedSuppression(_ detections: [FaceDetection]) -> [FaceDetection] {
        var remaining = detections.sorted { $0.score > $1.score }
        var kept: [FaceDetection] = []
        while let best = remaining.first {
            let group = remaining.filter { $0.box.overlap(best.box) > 0.3 }
            remaining.removeAll { $0.box.overlap(best.box) > 0.3 }
            if group.isEmpty {
                remaining.removeFirst()
                continue
            }
            let total = group.reduce(0) { $0 + $1.score }
            func mean(_ value: (FaceDetection) -> Double) -> Double {
                group.reduce(0) { $0 + value($1) * $1.score } / total
            }
            kept.append(
                FaceDetection(
                    box: Box(
                        left: mean(\.box.left), top: mean(\.box.top), right: mean(\.box.right),
                        bottom: mean(\.box.bottom)),
                    score: best.score,
                    leftEye: Point(mean(\.leftEye.x), mean(\.leftEye.y)),
                    rightEye: Point(mean(\.rightEye.x), mean(\.rightEye.y))))
        }
        return kept
    }
}

import Errors
import Storage

/// The facial-movement variances of every window of 12 frames.
///
/// Loopy, section 3.5: the variance of the nose tip's absolute position is the head motion variance;
/// the variance of the displacement of the upper 37 key points relative to the nose tip is the
/// expression variance. Coordinates are divided by the crop's side first; variances are over the
/// window (population, 1/12), the two axes added, and for expression the points averaged.
package enum MotionVariance {
    package static let window = 12

    /// The points of the upper face: the 68 points less the mouth (20) and the lower jaw (11). The paper gives
    /// the count, 37; which points they are is inferred.
    package static let upperFacePoints: [Int] =
        Array(0...2) + Array(14...16)  // ends of the jaw
        + Array(17...26)  // brows
        + Array(27...35)  // nose
        + Array(36...47)  // eyes

    /// The variances of every window of a clip.
    ///
    /// - Parameters:
    ///   - keypoints: `[T, 68, 3]`, pixels of the crop.
    ///   - side: the crop's side, in pixels.
    ///   - window: the number W of frames of a window.
    /// - Returns: float32 `[T - W + 1, 2]`: head motion and expression variance of the window that
    ///   begins at each frame.
    /// - Throws: `LoopyError` `.unsuitable` when there are fewer frames than a window has.
    package static func column(
        _ keypoints: NumPyArray, side: Double, window: Int = window
    ) throws -> NumPyArray {
        guard keypoints.shape.count == 3, keypoints.shape[1...] == [IBUG68.count, 3] else {
            throw LoopyError(.malformed, "key points of shape \(keypoints.shape), not [T, 68, 3]")
        }
        let frames = keypoints.shape[0]
        guard frames >= window else {
            throw LoopyError(
                .unsuitable, "\(frames) frames: a window of motion needs \(window)")
        }
        func coordinate(_ frame: Int, _ point: Int, _ axis: Int) -> Double {
            Double(keypoints.values[(frame * IBUG68.count + point) * 3 + axis]) / side
        }
        var values: [Float] = []
        values.reserveCapacity((frames - window + 1) * 2)
        for start in 0...(frames - window) {
            let span = start..<(start + window)
            let head = (0..<2).reduce(0.0) { sum, axis in
                sum + variance(span.map { coordinate($0, IBUG68.noseTip, axis) })
            }
            var expression = 0.0
            for point in upperFacePoints {
                for axis in 0..<2 {
                    expression += variance(
                        span.map {
                            coordinate($0, point, axis) - coordinate($0, IBUG68.noseTip, axis)
                        })
                }
            }
            values.append(Float(head))
            values.append(Float(expression / Double(upperFacePoints.count)))
        }
        return NumPyArray(shape: [frames - window + 1, 2], values: values)
    }

    private static func variance(_ values: [Double]) -> Double {
        let mean = values.reduce(0, +) / Double(values.count)
        return values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
    }
}

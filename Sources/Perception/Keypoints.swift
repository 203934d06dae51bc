import Errors

/// Key points over time.
package enum Keypoints {
    /// Fills frames in which the face is not seen: linearly between the frames seen, and with the first
    /// or the last at the ends.
    ///
    /// - Parameter frames: for each frame x, y and confidence of its points, one point after the other;
    ///   nil where the face is not seen. All frames have as many points.
    /// - Returns: the frames' values, one frame after the other; those filled have confidence 0.
    /// - Throws: `LoopyError` `.unsuitable` when the face is seen in no frame.
    package static func filled(_ frames: [[Float]?]) throws -> [Float] {
        let seen = frames.indices.filter { frames[$0] != nil }
        guard let first = seen.first, let width = frames[first]?.count else {
            throw LoopyError(.unsuitable, "no face is seen in any of its \(frames.count) frames")
        }
        var values: [Float] = []
        values.reserveCapacity(frames.count * width)
        var next = 0
        for (index, frame) in frames.enumerated() {
            if let frame {
                values += frame
                continue
            }
            while next < seen.count, seen[next] < index { next += 1 }
            let after = seen[min(next, seen.count - 1)], before = seen[max(next - 1, 0)]
            let weight = after == before ? 0 : Float(index - before) / Float(after - before)
            let (a, b) = (frames[before]!, frames[after]!)  // indices of frames that are seen
            for index in a.indices {
                let isConfidence = index % 3 == 2
                values.append(isConfidence ? 0 : a[index] + (b[index] - a[index]) * weight)
            }
        }
        return values
    }
}

import Errors

/// Key points over time.
package enum Keypoints {
    /// Linear between the frames seen; constant before the first and after the last.
    ///
    /// - Parameter frames: of each frame the values x, y and confidence of its points, one after the
    ///   other; nil where the face is not seen. All have as many.
    /// - Returns: the frames' values, one after the other, those between with confidence 0.
    /// - Throws: `LoopyError` `.malformed` when the face is seen in none.
    package static func filled(_ frames: [[Float]?]) throws -> [Float] {
        let seen = frames.indices.filter { frames[$0] != nil }
        guard let first = seen.first, let width = frames[first]?.count else {
            throw LoopyError(.malformed, "no face is seen in any of its \(frames.count) frames")
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
            for place in a.indices {
                let isConfidence = place % 3 == 2
                values.append(isConfidence ? 0 : a[place] + (b[place] - a[place]) * weight)
            }
        }
        return values
    }
}

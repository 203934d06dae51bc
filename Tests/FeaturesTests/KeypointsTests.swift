import Errors
import Features
import Perception
import Testing

@Suite struct KeypointsTests {
    /// A frame whose points are all the same.
    private func frame(_ x: Float, _ y: Float, confidence: Float = 0.9) -> [Float] {
        (0..<68).flatMap { _ in [x, y, confidence] }
    }

    /// Each frame's first point: x, y, confidence.
    private func filled(_ frames: [[Float]?]) throws -> [[Float]] {
        let values = try Keypoints.filled(frames)
        #expect(values.count == frames.count * 68 * 3)
        return frames.indices.map { index in
            let start = index * 68 * 3
            // all points alike
            for point in 1..<68 {
                let index = start + point * 3
                #expect(values[index..<(index + 3)].elementsEqual(values[start..<(start + 3)]))
            }
            return Array(values[start..<(start + 3)])
        }
    }

    @Test func seenFramesStayAsTheyAre() throws {
        let frames = [frame(1, 2), frame(3, 4, confidence: 0.5)]
        #expect(try filled(frames) == [[1, 2, 0.9], [3, 4, 0.5]])
    }

    @Test func gapsAreLinear() throws {
        let frames = [frame(0, 10), nil, nil, nil, frame(8, 2), nil, frame(10, 2)]
        #expect(
            try filled(frames) == [
                [0, 10, 0.9], [2, 8, 0], [4, 6, 0], [6, 4, 0], [8, 2, 0.9], [9, 2, 0],
                [10, 2, 0.9],
            ])
    }

    @Test func endsAreConstant() throws {
        let frames = [nil, nil, frame(5, 6), frame(7, 8), nil, nil]
        #expect(
            try filled(frames) == [
                [5, 6, 0], [5, 6, 0], [5, 6, 0.9], [7, 8, 0.9], [7, 8, 0], [7, 8, 0],
            ])
    }

    @Test func oneFrameIsEnough() throws {
        #expect(try filled([nil, frame(5, 6), nil]) == [[5, 6, 0], [5, 6, 0.9], [5, 6, 0]])
    }

    @Test func aClipWithoutAFaceIsAnError() {
        let error = #expect(throws: LoopyError.self) {
            try Keypoints.filled([nil, nil, nil])
        }
        #expect(error?.category == .unsuitable)
        #expect(error?.message.contains("any of its 3 frames") == true)
    }
}

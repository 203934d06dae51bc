import Errors
import Features
import Perception
import Storage
import Testing

@Suite struct MotionVarianceTests {
    /// Variance of a point that moves by a pixel a frame: of 0, 1, ... 11 the population's is
    /// (12² - 1) / 12.
    private let line: Double = 143.0 / 12 / 262_144

    /// `[T, 68, 3]` of points that a test places.
    private func keypoints(
        _ frames: Int, _ place: (_ frame: Int, _ point: Int) -> (x: Double, y: Double)
    ) -> NumPyArray {
        let values = (0..<frames).flatMap { frame in
            (0..<68).flatMap { point -> [Float] in
                let (x, y) = place(frame, point)
                return [Float(x), Float(y), 1]
            }
        }
        return NumPyArray(shape: [frames, 68, 3], values: values)
    }

    /// Places of a face at rest, all different.
    private func rest(_ point: Int) -> (x: Double, y: Double) {
        (100 + 3 * Double(point), 200 - 2 * Double(point))
    }

    private func column(_ keypoints: NumPyArray, side: Double = 512) throws -> [(
        head: Double, expression: Double
    )] {
        let result = try MotionVariance.column(keypoints, side: side)
        #expect(result.shape == [keypoints.shape[0] - 11, 2])
        return stride(from: 0, to: result.values.count, by: 2).map {
            (Double(result.values[$0]), Double(result.values[$0 + 1]))
        }
    }

    @Test func theUpperFaceHas37Points() {
        let points = MotionVariance.upperFacePoints
        #expect(points.count == 37)
        #expect(Set(points).count == 37)
        // Neither the mouth, nor the lower jaw.
        #expect(Set(points).isDisjoint(with: 48..<68))
        #expect(Set(points).isDisjoint(with: 3..<14))
        #expect(points.contains(IBUG68.noseTip))
        #expect(IBUG68.noseTip == 30)
        #expect(MotionVariance.window == 12)
    }

    @Test func aStillFaceHasNone() throws {
        let values = try column(keypoints(30) { rest($1) })
        #expect(values.count == 19)
        #expect(values.allSatisfy { $0.head == 0 && $0.expression == 0 })
    }

    @Test func aHeadThatGlidesHasTheVarianceOfALine() throws {
        let values = try column(
            keypoints(20) { frame, point in
                (rest(point).x + 3 * Double(frame), rest(point).y - 4 * Double(frame))
            })
        let expected = line * 25  // 3² + 4²
        for value in values {
            #expect(abs(value.head - expected) < 1e-7)
            // Every point moves with the nose: no expression.
            #expect(value.expression < 1e-12)
        }
    }

    @Test func aMovingBrowIsExpressionAlone() throws {
        let values = try column(
            keypoints(12) { frame, point in
                (rest(point).x, rest(point).y - (point == 20 ? 2 * Double(frame) : 0))
            })
        #expect(values.count == 1)
        #expect(values[0].head == 0)
        // One of 37 points, 2 pixels a frame.
        let expected = line * 4 / 37
        #expect(abs(values[0].expression - expected) < 1e-9)
    }

    @Test func mouthAndLowerJawDoNotCount() throws {
        let values = try column(
            keypoints(40) { frame, point in
                let moves = point >= 48 || (3...13).contains(point)
                return (rest(point).x, rest(point).y + (moves ? Double(frame * 7 % 13) : 0))
            })
        #expect(values.allSatisfy { $0.head == 0 && $0.expression == 0 })
    }

    /// A nose that moves alone: the 36 others move against it.
    @Test func aMovingNoseIsBoth() throws {
        let values = try column(
            keypoints(12) { frame, point in
                (rest(point).x + (point == 30 ? Double(frame) : 0), rest(point).y)
            })
        #expect(abs(values[0].head - line) < 1e-9)
        #expect(abs(values[0].expression - line * 36 / 37) < 1e-9)
    }

    @Test func theScaleIsTheCropsSide() throws {
        let points = keypoints(12) { frame, point in
            (rest(point).x + Double(frame * (point + 1) % 7), rest(point).y)
        }
        let large = try column(points, side: 512)[0]
        let small = try column(points, side: 256)[0]
        #expect(large.head > 0 && large.expression > 0)
        #expect(abs(small.head / large.head - 4) < 1e-4)
        #expect(abs(small.expression / large.expression - 4) < 1e-4)
    }

    /// 14 frames, against numpy:
    ///
    ///     f, p = numpy.arange(14)[:, None], numpy.arange(68)[None]
    ///     k = numpy.stack([(f * 37 + p * 11) % 29 + 100, (f * 23 + p * 7) % 31 + 50], -1) / 512
    ///     u = [*range(3), *range(14, 17), *range(17, 36), *range(36, 48)]
    ///     for s in range(3):
    ///         w = k[s:s + 12]
    ///         print(w[:, 30].var(0).sum(), (w[:, u] - w[:, 30:31]).var(0).sum(-1).mean())
    @Test func agreesWithNumPy() throws {
        let values = try column(
            keypoints(14) { frame, point in
                (
                    Double((frame * 37 + point * 11) % 29 + 100),
                    Double((frame * 23 + point * 7) % 31 + 50)
                )
            })
        let expected = [
            (0.000565396414863, 0.00113948329433),
            (0.000559992260403, 0.00113518460019),
            (0.000610854890611, 0.00118240866217),
        ]
        #expect(values.count == expected.count)
        for (value, (head, expression)) in zip(values, expected) {
            #expect(abs(value.head - head) < 1e-8)
            #expect(abs(value.expression - expression) < 1e-8)
        }
    }

    /// The window that begins at a frame sees that frame and the eleven after it.
    @Test func windowsBeginAtTheirFrame() throws {
        let values = try column(
            keypoints(40) { frame, point in
                (rest(point).x + (frame == 20 ? 5 : 0), rest(point).y)
            })
        for (start, value) in values.enumerated() {
            #expect((value.head > 0) == (start...(start + 11)).contains(20))
        }
    }

    @Test func fewerThan12FramesAreAnError() throws {
        #expect(try column(keypoints(12) { rest($1) }).count == 1)
        for frames in [0, 1, 11] {
            let error = #expect(throws: LoopyError.self) {
                try MotionVariance.column(keypoints(frames) { rest($1) }, side: 512)
            }
            #expect(error?.category == .unsuitable)
            #expect(error?.message.contains("\(frames) frames") == true)
        }
        let wrong = NumPyArray(shape: [20, 68, 2], values: [Float](repeating: 0, count: 2720))
        let error = #expect(throws: LoopyError.self) {
            try MotionVariance.column(wrong, side: 512)
        }
        #expect(error?.message.contains("[20, 68, 2]") == true)
    }
}

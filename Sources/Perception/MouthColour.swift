import Media

/// How red the mouth is beside the cheeks of the same face: a microphone or a mask before it is not.
///
/// Skin of every shade has more red than grey has (its Cr is above the middle: Chai and Ngan, "Face segmentation
/// using skin-color map in videophone applications", 1999), and lips have about as much. The cheeks say how
/// much in this light. Something of the colour of skin, such as a hand, is not told from a mouth.
package enum MouthColour {
    /// The side of the square with which a face is looked at.
    private static let size = 64
    /// The redness of cheeks, of 255, below which the light, or a picture without colours, says nothing.
    private static let leastRedness = 4.0
    /// Degrees of yaw beyond which one cheek is not seen.
    private static let largestYaw = 30.0

    /// - Returns: the redness of the lips and what is between them, over that of the cheeks: about 1 of a mouth
    ///   that is seen; nil where it cannot be told.
    package static func ratio(_ face: FaceLandmarks, in frame: VideoFrame) -> Double? {
        guard abs(face.pose.yaw) <= largestYaw else { return nil }
        let points = face.points
        let box = Box(around: points)
        let step = max(box.width, box.height) / Double(size)
        guard step > 0 else { return nil }
        let map = Affine(xx: step, xy: 0, x0: box.left, yx: 0, yy: step, y0: box.top)
        let colours = frame.pixels(map, width: size, height: size)
        /// Where a part of the way from one point to another ends.
        func between(_ a: Int, _ b: Int, _ part: Double) -> Point {
            Point(
                points[a].x + (points[b].x - points[a].x) * part,
                points[a].y + (points[b].y - points[a].y) * part)
        }
        // below the eye, beside the ear, beside the mouth, between nose and mouth
        let left = [
            between(36, 31, 0.4), between(1, 31, 0.5), between(3, 48, 0.5), between(31, 48, 0.3),
        ]
        let right = [
            between(45, 35, 0.4), between(15, 35, 0.5), between(13, 54, 0.5), between(35, 54, 0.3),
        ]
        func redness(_ areas: [[Point]]) -> Double? {
            var sum = 0.0
            var count = 0
            for y in 0..<size {
                for x in 0..<size {
                    let point = map(Double(x) + 0.5, Double(y) + 0.5)
                    guard areas.contains(where: { Point(point.x, point.y).isInside($0) }) else {
                        continue
                    }
                    let pixel = (y * size + x) * 3
                    let (red, green, blue) = (
                        colours[pixel], colours[pixel + 1], colours[pixel + 2]
                    )
                    sum += Double(red - (0.299 * red + 0.587 * green + 0.114 * blue)) * 0.713
                    count += 1
                }
            }
            return count > 0 ? sum / Double(count) : nil
        }
        guard let cheeks = redness([left, right]), cheeks >= leastRedness,
            let mouth = redness([Array(points[48..<60])])
        else { return nil }
        return mouth / cheeks
    }
}

extension Point {
    /// Whether the point is inside a polygon.
    fileprivate func isInside(_ corners: [Point]) -> Bool {
        var inside = false
        var before = corners[corners.count - 1]
        for corner in corners {
            if (corner.y > y) != (before.y > y),
                x < (before.x - corner.x) * (y - corner.y) / (before.y - corner.y) + corner.x
            {
                inside.toggle()
            }
            before = corner
        }
        return inside
    }
}

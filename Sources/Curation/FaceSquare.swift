import Media
import Perception

/// The part of a picture that shows a face: the square of its crop, or one around its key points, or the whole
/// picture where there is neither.
struct FaceSquare {
    let side: Int
    private let picture: VideoFrame
    private let map: Affine
    private let points: [Point]

    /// - Parameters:
    ///   - points: key points in pixels of the upright picture.
    ///   - side: of the result, in pixels.
    init(_ picture: VideoFrame, _ points: [Point], crop: CropSquare?, side: Int) {
        self.picture = picture
        self.points = points
        self.side = side
        var centre = Point(Double(picture.width) / 2, Double(picture.height) / 2)
        var length = Double(max(picture.width, picture.height))
        if let crop {
            length = Double(crop.side)
            centre = Point(Double(crop.x) + length / 2, Double(crop.y) + length / 2)
        } else if !points.isEmpty {
            let box = Box(around: points)
            centre = box.centre
            length = max(box.width, box.height) * 2.2
        }
        let scale = length / Double(side)
        map = Affine(
            xx: scale, xy: 0, x0: centre.x - length / 2, yx: 0, yy: scale,
            y0: centre.y - length / 2)
    }

    /// RGB, `[side, side, 3]`, 0...255.
    var pixels: [Float] {
        picture.pixels(map, width: side, height: side, border: .black)
    }

    func canvas() -> Canvas {
        var canvas = Canvas(width: side, height: side, fill: .init(0, 0, 0))
        canvas.paste(pixels, x: 0, y: 0, width: side, height: side)
        return canvas
    }

    /// The key points inside the square, in its pixels.
    var pointsInside: [Point] {
        points.map { Point(($0.x - map.x0) / map.xx, ($0.y - map.y0) / map.yy) }.filter {
            $0.x > 1 && $0.y > 1 && $0.x < Double(side) - 1 && $0.y < Double(side) - 1
        }
    }
}

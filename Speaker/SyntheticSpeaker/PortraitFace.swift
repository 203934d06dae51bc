import Errors
import Foundation
import Media
import Perception

/// The face of a portrait, and the portrait around it, at the size in which videos are made.
///
/// All points are in pixels of the video's neutral picture: the square that is cut out around the head.
struct PortraitFace {
    /// The side of the square.
    let size: Int
    /// FaceMesh's 468 points: x, y, and depth away from the camera.
    let mesh: [SIMD3<Float>]
    /// The box of the face: from hairline to chin.
    let face: Box
    /// The box of the head, hair included.
    let head: Box
    let picture: WorkingPicture

    /// - Parameters:
    ///   - path: any picture that FFmpeg reads.
    ///   - size: the side of the video's square, in pixels.
    /// - Throws: `LoopyError` `.unsuitable` where no face is seen; what keeps the picture from being read.
    init(path: String, size: Int) throws {
        let frame = try VideoReader.firstPicture(path: path)
        let network = try FaceMesh()
        var faces = try BlazeFace(.short).detect(in: frame)
        if faces.isEmpty { faces = try BlazeFace(.full).detect(in: frame) }
        guard let largest = faces.max(by: { $0.box.area < $1.box.area }) else {
            throw LoopyError(
                .unsuitable, "no face is seen in it; take a picture of one face", path: path)
        }
        let rough = try network.landmarks(in: frame, region: network.region(for: largest))
        let fine = try network.landmarks(in: frame, region: rough.region)
        guard fine.presence > 0.9 else {
            throw LoopyError(
                .unsuitable, "it is not sure that a face is in it; take another picture",
                path: path)
        }

        let crop = Self.square(around: fine, in: frame)
        let scale = Double(size) / crop.side
        func place(_ box: Box) -> Box {
            Box(
                left: (box.left - crop.left) * scale, top: (box.top - crop.top) * scale,
                right: (box.right - crop.left) * scale, bottom: (box.bottom - crop.top) * scale)
        }
        self.size = size
        mesh = try network.mesh(in: frame, region: rough.region).map {
            SIMD3<Float>(SIMD3($0.x - crop.left, $0.y - crop.top, $0.z) * scale)
        }
        face = place(fine.box)
        head = place(fine.head)
        picture = WorkingPicture(frame, crop: crop, size: size)
    }

    /// The square to show: 1.75 times the head's height, as far as the picture reaches.
    private static func square(
        around face: FaceLandmarks, in frame: VideoFrame
    ) -> (left: Double, top: Double, side: Double) {
        let (width, height) = (Double(frame.width), Double(frame.height))
        let side = min(width, height, 1.75 * face.head.height)
        let centre = face.head.centre
        return (
            min(max(0, centre.x - side / 2), width - side),
            min(max(0, centre.y + 0.1 * face.head.height - side / 2), height - side), side
        )
    }

    /// The distance between the eyes of a face that looks into the camera: the unit of mouth openings, as
    /// `FaceLandmarks.mouthOpening` has it.
    var eyeDistance: Float { Float(0.42 * face.height) }

    func point(_ index: Int) -> SIMD2<Float> { SIMD2(mesh[index].x, mesh[index].y) }

    /// The middle between the eyes' corners.
    var betweenEyes: SIMD2<Float> {
        (point(33) + point(133) + point(362) + point(263)) / 4
    }
}

/// The portrait at the video's scale, with a border, so that what moves in from outside is there.
struct WorkingPicture {
    /// The pixels from the picture's edge to the square's.
    private let border: Int
    private let side: Int
    /// `[side, side]`: red, green, blue and nothing, 0...255.
    private let pixels: [SIMD4<Float>]

    init(_ frame: VideoFrame, crop: (left: Double, top: Double, side: Double), size: Int) {
        let border = size / 5
        let side = size + 2 * border
        let scale = crop.side / Double(size)
        let map = Affine(
            xx: scale, xy: 0, x0: crop.left - Double(border) * scale, yx: 0, yy: scale,
            y0: crop.top - Double(border) * scale)
        let count = side * side
        let rgb = [Float](unsafeUninitializedCapacity: count * 3) { buffer, filled in
            frame.sample(map, width: side, height: side, into: buffer)
            filled = count * 3
        }
        (self.border, self.side) = (border, side)
        pixels = (0..<count).map {
            SIMD4(rgb[$0 * 3], rgb[$0 * 3 + 1], rgb[$0 * 3 + 2], 0)
        }
    }

    /// Lends the pixels to a body that reads many.
    func withSampler<Result>(_ body: (PictureSampler) throws -> Result) rethrows -> Result {
        try pixels.withUnsafeBufferPointer {
            // A picture has pixels.
            try body(PictureSampler(base: $0.baseAddress!, side: side, border: Float(border)))
        }
    }
}

/// Reads colours between pixels, bilinearly.
struct PictureSampler {
    fileprivate let base: UnsafePointer<SIMD4<Float>>
    fileprivate let side: Int
    fileprivate let border: Float

    /// The colour at a point of the neutral picture, whose first pixel's centre is at (0.5, 0.5).
    @inline(__always)
    func colour(at point: SIMD2<Float>) -> SIMD4<Float> {
        let last = Float(side) - 1.001
        let x = min(max(0, point.x + border - 0.5), last)
        let y = min(max(0, point.y + border - 0.5), last)
        let column = Int(x), row = Int(y)
        let (fx, fy) = (x - Float(column), y - Float(row))
        let upper = base + (row * side + column)
        let lower = upper + side
        let top = upper[0] + (upper[1] - upper[0]) * fx
        let bottom = lower[0] + (lower[1] - lower[0]) * fx
        return top + (bottom - top) * fy
    }
}

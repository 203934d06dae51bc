import Errors
import Media

/// Says who a face is, in a few hundred numbers (an embedding) that are near to each other for pictures of one
/// person. Belongs to one thread at a time.
///
/// The network is the user's choice. How a face must be laid before it follows from the size of its pictures:
///
/// - 150x150: dlib's network, converted by Scripts/convert-dlib-face.py. Corners of the eyes and the base of the
///   nose come to where `get_face_chip_details` with a padding of 0.25 puts them; values are 0 to 255.
/// - 112x112: ArcFace (Deng et al., arXiv:1801.07698) and what is trained as it is. Eyes, nose and corners of the
///   mouth come to where InsightFace puts them; values are -1 to 1.
package final class FaceRecognition {
    private let network: PictureNetwork
    private let alignment: Alignment

    /// - Throws: `LoopyError` that names the file.
    package init(path: String) throws {
        network = try PictureNetwork(
            path: path, batch: 1, height: 112, width: 112, device: .cpu, threads: 1)
        guard network.batch == 1, network.height == network.width,
            let alignment = Alignment.all.first(where: { [network] in $0.side == network.height })
        else {
            throw LoopyError(
                .unsuitable,
                "\(path): takes \(network.batch) pictures of \(network.width)x\(network.height) at once; a "
                    + "network for measure.identity takes one, of 112x112 (ArcFace) or 150x150 (dlib)"
            )
        }
        self.alignment = alignment
    }

    /// The embedding of a face, of length 1.
    ///
    /// - Parameter points: the 68 iBUG points, in pixels of the upright picture.
    /// - Returns: nil where the network gives no direction (a face of no extent).
    package func embedding(of points: [Point], in picture: VideoFrame) throws -> [Float]? {
        let side = alignment.side, area = side * side
        guard let map = alignment.map(points) else { return nil }
        let output = try network.run { planes in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: area * 3) { rgb in
                picture.sample(
                    map, width: side, height: side, border: alignment.border,
                    scale: alignment.scale, bias: alignment.bias, into: rgb)
                for pixel in 0..<area {
                    for channel in 0..<3 {
                        planes[channel * area + pixel] = rgb[pixel * 3 + channel]
                    }
                }
            }
        }
        return unit(output[0].array(of: Float.self))
    }
}

/// How a face must lie in the picture that a network takes.
package struct Alignment {
    /// The width and height of the picture.
    let side: Int
    /// Points of the face, as the indices of those of the 68 whose mean each is, and where they belong: in pixels of
    /// the picture, a whole number being the centre of a pixel.
    package let points: [(indices: ClosedRange<Int>, position: Point)]
    /// What becomes of a value of 0 to 255.
    let scale: Float, bias: Float
    let fit: Fit
    /// What is seen beside the picture.
    let border: Border

    /// Whose distances are the least.
    enum Fit {
        /// Those in the picture from which a face is cut: dlib.
        case ofPicture
        /// Those in the face that is cut out: InsightFace.
        case ofFace
    }

    static let all = [dlib, arcFace]

    /// dlib, image_transforms/interpolation.h: the mean positions of its five points, in a face of size 1 with a
    /// margin of a quarter of it all around.
    private static let dlib = Alignment(
        side: 150,
        points: [
            (45...45, 0.8595674595992, 0.2134981538014),
            (42...42, 0.6460604764104, 0.2289674387677),
            (36...36, 0.1205750620789, 0.2137274526848),
            (39...39, 0.3340850613712, 0.2290642403242),
            (33...33, 0.4901123135679, 0.6277975316475),
        ].map { ($0, Point(($1 + 0.25) / 1.5 * 150, ($2 + 0.25) / 1.5 * 150)) },
        scale: 1, bias: 0, fit: .ofPicture, border: .replicate)

    /// InsightFace, face_align.py: the positions of its five points.
    package static let arcFace = Alignment(
        side: 112,
        points: [
            (36...41, Point(38.2946, 51.6963)), (42...47, Point(73.5318, 51.5014)),
            (30...30, Point(56.0252, 71.7366)), (48...48, Point(41.5493, 92.3655)),
            (54...54, Point(70.7299, 92.2041)),
        ],
        scale: 1 / 127.5, bias: -1, fit: .ofFace, border: .black)

    /// The turn, scale and shift from the picture to a face.
    ///
    /// - Returns: nil for points that all lie together.
    package func map(_ face: [Point]) -> Affine? {
        let pairs = points.map { indices, position in
            (here: Point(position.x + 0.5, position.y + 0.5), there: Point.mean(face[indices]))
        }
        let here = pairs.map(\.here), there = pairs.map(\.there)
        switch fit {
        case .ofPicture: return Similarity(from: here, to: there)?.map
        case .ofFace: return Similarity(from: there, to: here)?.inverse.map
        }
    }
}

/// A turn, scale and shift: `(a + ib) z + shift`, of points as complex numbers.
private struct Similarity {
    var a: Double, b: Double
    var shift: Point

    /// That which brings points nearest to others, by least squares of the distances.
    ///
    /// - Returns: nil for points that all lie together.
    init?(from points: [Point], to others: [Point]) {
        let here = Point.mean(points), there = Point.mean(others)
        var (along, across, size) = (0.0, 0.0, 0.0)
        for (point, other) in zip(points, others) {
            let (x, y) = (point.x - here.x, point.y - here.y)
            let (u, v) = (other.x - there.x, other.y - there.y)
            along += x * u + y * v
            across += x * v - y * u
            size += x * x + y * y
        }
        (a, b) = (along / size, across / size)
        guard a * a + b * b > 0 else { return nil }
        shift = Point(there.x - a * here.x + b * here.y, there.y - b * here.x - a * here.y)
    }

    private init(a: Double, b: Double, shift: Point) {
        (self.a, self.b, self.shift) = (a, b, shift)
    }

    var inverse: Self {
        let size = a * a + b * b
        let (c, d) = (a / size, -b / size)
        return Self(
            a: c, b: d, shift: Point(d * shift.y - c * shift.x, -d * shift.x - c * shift.y))
    }

    var map: Affine { Affine(xx: a, xy: -b, x0: shift.x, yx: b, yy: a, y0: shift.y) }
}

extension Point {
    fileprivate static func mean(_ points: some Collection<Point>) -> Point {
        let count = Double(points.count)
        return Point(points.reduce(0) { $0 + $1.x } / count, points.reduce(0) { $0 + $1.y } / count)
    }
}

/// A vector's direction; nil where it has none.
package func unit(_ values: [Float]) -> [Float]? {
    let length = values.reduce(Float(0)) { $0 + $1 * $1 }.squareRoot()
    return length.isFinite && length > 0 ? values.map { $0 / length } : nil
}

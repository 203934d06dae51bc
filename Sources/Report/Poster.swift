import Media
import Storage

/// The picture that a player shows before it plays.
enum Poster {
    /// Pictures are brought to this width, for a page shows many.
    private static let mostWidth = 360

    /// Writes one picture of a video as PNG.
    ///
    /// - Parameter frame: its index on the 25 fps grid.
    /// - Returns: the path; nil for a video that has no such picture.
    static func write(of video: String, frame: Int, to path: String) throws -> String? {
        let reader = try VideoReader(path: video, range: frame..<(frame + 1))
        guard let picture = try reader.next()?.frame else { return nil }
        let width = min(mostWidth, picture.width)
        let scale = Double(picture.width) / Double(width)
        let height = max(1, Int((Double(picture.height) / scale).rounded()))
        let map = Affine(xx: scale, xy: 0, x0: 0, yx: 0, yy: scale, y0: 0)
        let pixels = [Float](unsafeUninitializedCapacity: width * height * 3) {
            picture.sample(map, width: width, height: height, into: $0)
            $1 = width * height * 3
        }
        var canvas = Canvas(width: width, height: height, fill: .init(0, 0, 0))
        canvas.paste(pixels, x: 0, y: 0, width: width, height: height)
        try OutputFile.write(canvas.png(), to: path)
        return path
    }
}

import Foundation
import Media
import Testing

@Suite struct OrientationTests {
    let folder: MediaFolder

    init() throws { folder = try MediaFolder() }

    /// A smooth picture in which every place has its own colour.
    static let gradient =
        "color=black:s=96x64:r=25:d=0.12,format=rgb24,"
        + "geq=r='X*255/95':g='Y*255/63':b='128+100*sin(X/9)*cos(Y/7)',format=yuv444p,setrange=tv"

    func makeGradient(_ name: String, _ options: String = "", filter: String = "") throws -> String
    {
        try folder.make(
            name,
            ["-f", "lavfi", "-i", Self.gradient + filter]
                + words("-c:v libx264 -qp 4 \(options)"))
    }

    /// Writes a track's display matrix, 16.16 fixed point a b c d, into an mp4 file.
    func turn(_ path: String, _ name: String, _ a: Int32, _ b: Int32, _ c: Int32, _ d: Int32) throws
        -> String
    {
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        let header = try #require(
            bytes.indices.first { bytes[$0...].starts(with: Array("tkhd".utf8)) })
        // Version 0: 40 bytes of flags, dates, identity, duration and layers come before it.
        for (place, value) in [(0, a), (4, b), (12, c), (16, d)] {
            withUnsafeBytes(of: (value * 65536).bigEndian) {
                bytes.replaceSubrange((header + 44 + place)..<(header + 48 + place), with: $0)
            }
        }
        return try folder.write(name, bytes)
    }

    /// Compares a file with FFmpeg's own upright picture, whole, and through the crop encoder.
    func expectUpright(_ path: String, width: Int, height: Int, filter: String = "null") throws {
        let picture = try firstPicture(path)
        #expect(picture.width == width && picture.height == height)
        let upright = try pixelsByFFmpeg(path, filter: filter)
        #expect(meanDifference(picture.pixels(), upright) < 2.5)

        let crop = CropSquare(x: 8, y: 12, side: 48)
        var encoding = VideoEncoding()
        (encoding.size, encoding.crf) = (48, 4)
        let encoder = ClipEncoder(crop: crop, encoding: encoding)
        try encoder.add(picture)
        let clip = try folder.write("clip.mp4", try encoder.finish())
        let cropped = picture.sampled(
            Affine(xx: 1, xy: 0, x0: 8, yx: 0, yy: 1, y0: 12), width: 48, height: 48)
        #expect(meanDifference(try firstPicture(clip).pixels(), cropped) < 3)
    }

    @Test("metadata that turns by quarters is obeyed", arguments: [0, 90, 180, 270])
    func quarterTurns(degrees: Int) throws {
        let flat = try makeGradient("flat.mp4")
        let path = try folder.make(
            "turned.mp4", words("-i \(flat) -c copy -metadata:s:v rotate=\(degrees)"))
        let turned = degrees % 180 != 0
        try expectUpright(path, width: turned ? 64 : 96, height: turned ? 96 : 64)
    }

    @Test("corners land where a player shows them")
    func corners() throws {
        let flat = try makeGradient("flat.mp4")
        // A player turns the picture 90 degrees clockwise: the coded top left is shown top right.
        let path = try turn(flat, "turned.mp4", 0, 1, -1, 0)
        let picture = try firstPicture(path)
        #expect(picture.width == 64 && picture.height == 96)
        let rgb = picture.pixels()
        func colour(_ x: Int, _ y: Int) -> (red: Float, green: Float) {
            (rgb[(y * 64 + x) * 3], rgb[(y * 64 + x) * 3 + 1])
        }
        #expect(colour(61, 2).red < 30 && colour(61, 2).green < 30)
        #expect(colour(61, 93).red > 225 && colour(61, 93).green < 30)
        #expect(colour(2, 2).red < 30 && colour(2, 2).green > 225)
        #expect(colour(2, 93).red > 225 && colour(2, 93).green > 225)
    }

    static let mirrored: [(name: String, matrix: (Int32, Int32, Int32, Int32), filter: String)] = [
        ("left and right", (-1, 0, 0, 1), "hflip"),
        ("top and bottom", (1, 0, 0, -1), "vflip"),
        ("along the main diagonal", (0, 1, 1, 0), "transpose=cclock_flip"),
        ("along the other diagonal", (0, -1, -1, 0), "transpose=clock_flip"),
    ]

    @Test("mirrored video is mirrored back", arguments: mirrored)
    func mirrors(
        mirror: (name: String, matrix: (Int32, Int32, Int32, Int32), filter: String)
    ) throws {
        let flat = try makeGradient("flat.mp4")
        let (a, b, c, d) = mirror.matrix
        let path = try turn(flat, "mirrored.mp4", a, b, c, d)
        let picture = try firstPicture(path)
        let upright = try pixelsByFFmpeg(flat, filter: mirror.filter)
        #expect(meanDifference(picture.pixels(), upright) < 2.5)
        var encoding = VideoEncoding()
        (encoding.size, encoding.crf) = (48, 4)
        let encoder = ClipEncoder(crop: CropSquare(x: 8, y: 4, side: 48), encoding: encoding)
        try encoder.add(picture)
        let clip = try firstPicture(try folder.write("clip.mp4", try encoder.finish()))
        let cropped = picture.sampled(
            Affine(xx: 1, xy: 0, x0: 8, yx: 0, yy: 1, y0: 4), width: 48, height: 48)
        #expect(meanDifference(clip.pixels(), cropped) < 3)
    }

    @Test(
        "pictures of oblong pixels are shown with square ones", arguments: ["4/3", "8/9", "16/11"])
    func pixelAspect(aspect: String) throws {
        let path = try makeGradient("oblong.mp4", filter: ",setsar=\(aspect)")
        let parts = aspect.split(separator: "/").compactMap { Double($0) }
        let ratio = parts[0] / parts[1]
        let width = ratio > 1 ? Int((96 * ratio).rounded()) : 96
        let height = ratio < 1 ? Int((64 / ratio).rounded()) : 64
        try expectUpright(
            path, width: width, height: height, filter: "scale=\(width):\(height):flags=bilinear")
    }

    @Test("what the container says of the pixels counts, as in players")
    func containerAspect() throws {
        let flat = try makeGradient("flat.mp4")
        for (name, options) in [
            ("corrected.mp4", "-c copy -aspect 2:1"),
            ("silent.webm", "-vf setsar=4/3 -c:v libvpx-vp9 -crf 4 -b:v 0"),
        ] {
            let path = try folder.make(name, words("-i \(flat) \(options)"))
            try expectUpright(
                path, width: 128, height: 64, filter: "scale=128:64:flags=bilinear")
            let video = try MediaProbe(path: path).video
            #expect(video.width == 128 && video.height == 64)
        }
    }

    @Test("oblong pixels and a turn go together")
    func turnedOblong() throws {
        let flat = try makeGradient("flat.mp4", filter: ",setsar=4/3")
        let path = try folder.make(
            "turned.mp4", words("-i \(flat) -c copy -metadata:s:v rotate=90"))
        let picture = try firstPicture(path)
        #expect(picture.width == 64 && picture.height == 128)
        try expectUpright(
            path, width: 64, height: 128, filter: "scale=64:128:flags=bilinear")
    }

    @Test("maps are applied in their order")
    func affine() {
        let shift = Affine(xx: 1, xy: 0, x0: 3, yx: 0, yy: 1, y0: -1)
        let turn = Affine(xx: 0, xy: -1, x0: 0, yx: 1, yy: 0, y0: 0)
        #expect(shift.then(turn)(2, 5) == (-4, 5))
        #expect(turn.then(shift)(2, 5) == (-2, 1))
        #expect(turn.then(.identity) == turn)
    }
}

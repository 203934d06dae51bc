import Errors
import Media
import Testing

@Suite struct PictureTests {
    private let folder: MediaFolder

    init() throws { folder = try MediaFolder() }

    @Test(arguments: ["jpg", "png", "webp", "bmp", "tiff", "ppm", "gif", "mp4"])
    func anyPictureAndAVideosFirstCanBeRead(type: String) throws {
        // A name that FFmpeg would read as a pattern.
        let path = try folder.make(
            "a%03d." + type,
            words("-f lavfi -i testsrc=s=66x42:r=25:d=0.04 -pix_fmt")
                + [
                    type == "mp4"
                        ? "yuv420p"
                        : type == "gif"
                            ? "rgb8"
                            : type == "webp" ? "yuv420p" : type == "jpg" ? "yuvj420p" : "rgb24"
                ]
                + (type == "mp4" ? [] : words("-frames:v 1 -update 1")))
        let picture = try VideoReader.firstPicture(path: path)
        #expect((picture.width, picture.height) == (66, 42))
        let cut = try picture.cut(CropSquare(x: 10, y: 4, side: 30), size: 16)
        #expect((cut.width, cut.height) == (16, 16))
    }

    /// Of a photo, which says with a number how its camera was held.
    @Test(arguments: 1...8)
    func aPhotoIsTurnedAsItsCameraWasHeld(orientation: UInt8) throws {
        // Brighter to the right, and brightest at the bottom.
        let upright = "color=black:s=64x48:r=25:d=0.04,format=gray,geq=lum='X+3*Y'"
        // From the upright picture to the stored one.
        let stored = [
            "null", "hflip", "hflip,vflip", "vflip", "transpose=cclock_flip", "transpose=cclock",
            "transpose=clock_flip", "transpose=clock",
        ][Int(orientation) - 1]
        let plain = try folder.make(
            "p.jpg",
            ["-f", "lavfi", "-i", upright + "," + stored]
                + words("-pix_fmt yuvj420p -q:v 2 -frames:v 1 -update 1"))
        let tag: [UInt8] =
            Array("Exif".utf8) + [0, 0] + Array("MM".utf8) + [0, 42, 0, 0, 0, 8, 0, 1]
            + [0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0]
        let segment: [UInt8] = [0xff, 0xe1, 0, UInt8(tag.count + 2)] + tag
        var bytes = try folder.bytes(plain)
        bytes.insert(contentsOf: segment, at: 2)
        let picture = try VideoReader.firstPicture(path: folder.write("e.jpg", bytes))
        #expect((picture.width, picture.height) == (64, 48))
        var rgb = [UInt8](repeating: 0, count: 64 * 48 * 3)
        try rgb.withUnsafeMutableBufferPointer {
            try RGBConverter().convert(picture, into: $0)
        }
        for (x, y) in [(8, 8), (56, 8), (8, 40), (56, 40)] {
            #expect(abs(Int(rgb[(y * 64 + x) * 3]) - (x + 3 * y)) < 12, "at \(x), \(y)")
        }
    }

    @Test func whatIsNoPictureIsRefused() throws {
        let path = try folder.write("broken.jpg", Array("this is no picture".utf8))
        #expect(throws: LoopyError.self) { try VideoReader.firstPicture(path: path) }
        let playlist = try folder.write(
            "list.jpg", Array("ffconcat version 1.0\nfile a.mp4\n".utf8))
        #expect(throws: LoopyError.self) { try VideoReader.firstPicture(path: playlist) }
        // Single pictures are no videos.
        let picture = try folder.make("p.png", words("-f lavfi -i testsrc=s=64x64 -frames:v 1"))
        #expect(throws: LoopyError.self) { try MediaProbe(path: picture) }
    }
}

import Media
import Testing

/// Whole pictures as RGB, against the `ffmpeg` command.
@Suite struct RGBConverterTests {
    private let folder: MediaFolder

    init() throws { folder = try MediaFolder() }

    private func pictures(_ path: String) throws -> [[UInt8]] {
        let reader = try VideoReader(path: path, threads: 1)
        let converter = RGBConverter()
        var pictures: [[UInt8]] = []
        while let picture = try reader.next() {
            let count = picture.frame.width * picture.frame.height * 3
            var rgb = [UInt8](repeating: 0, count: count)
            try rgb.withUnsafeMutableBufferPointer {
                try converter.convert(picture.frame, into: $0)
            }
            pictures.append(rgb)
        }
        return pictures
    }

    @Test(
        "pixels are those of the ffmpeg command",
        arguments: [
            "-pix_fmt yuv420p -c:v libx264", "-pix_fmt yuv444p -c:v libx264",
            "-pix_fmt yuvj420p -c:v mjpeg", "-pix_fmt yuv420p10le -c:v libx264",
            "-pix_fmt yuv420p -colorspace bt709 -c:v libx264", "-pix_fmt gray -c:v ffv1",
        ])
    func agreesWithTheCommand(options: String) throws {
        let path = try folder.make(
            "a.mkv", words("-f lavfi -i testsrc2=s=66x50:r=25:d=0.2 " + options))
        let expected = try ffmpeg(["-i", path] + words("-f rawvideo -pix_fmt rgb24 -"))
        let found = try pictures(path)
        #expect(found.count == 5)
        #expect(found.flatMap { $0 } == expected)
    }

    @Test func turnedPicturesAreUpright() throws {
        let plain = try folder.make(
            "plain.mp4",
            words("-f lavfi -i testsrc2=s=64x48:r=25:d=0.04 -pix_fmt yuv444p -c:v libx264 -qp 0"))
        let turned = try folder.make(
            "turned.mp4", words("-i \(plain) -c copy -metadata:s:v rotate=90"))
        let upright = try #require(try pictures(plain).first)
        let found = try #require(try pictures(turned).first)
        // Turned by 90 degrees against the clock: the right edge comes to the top.
        var worst = 0
        for y in 0..<64 {
            for x in 0..<48 {
                for c in 0..<3 {
                    let a = Int(found[(y * 48 + x) * 3 + c])
                    let b = Int(upright[(x * 64 + 63 - y) * 3 + c])
                    worst = max(worst, abs(a - b))
                }
            }
        }
        #expect(worst <= 2)
    }
}

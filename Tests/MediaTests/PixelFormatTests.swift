import Foundation
import Media
import Testing

@Suite struct PixelFormatTests {
    let folder: MediaFolder

    init() throws { folder = try MediaFolder() }

    /// Smooth colours, so that the siting of chroma does not matter.
    static func gradient(_ size: String) -> [String] {
        [
            "-f", "lavfi", "-i",
            "color=black:s=\(size):r=25:d=0.04,format=rgb24,"
                + "geq=r='60+X*130/W':g='200-Y*130/H':b='128+60*sin(X/W*3)*cos(Y/H*2)'",
        ]
    }

    static let formats: [(name: String, options: String)] = [
        ("yuv420p.mkv", "-pix_fmt yuv420p -c:v ffv1"),
        ("yuv422p.mkv", "-pix_fmt yuv422p -c:v ffv1"),
        ("yuv410p.mkv", "-pix_fmt yuv410p -c:v ffv1"),
        ("yuv444p.mkv", "-pix_fmt yuv444p -c:v ffv1"),
        ("yuv444p12.mkv", "-pix_fmt yuv444p12le -c:v ffv1"),
        ("yuv444p16.mkv", "-pix_fmt yuv444p16le -c:v ffv1"),
        ("yuva420p.mkv", "-pix_fmt yuva420p -c:v ffv1"),
        ("ten-bits.mov", "-pix_fmt yuv422p10le -c:v prores_ks -profile:v 3 -qscale:v 1"),
        ("hevc-ten.mp4", "-pix_fmt yuv420p10le -c:v libx265 -x265-params log-level=none:crf=6"),
        ("nv12.nut", "-pix_fmt nv12 -c:v rawvideo"),
        ("nv21.nut", "-pix_fmt nv21 -c:v rawvideo"),
        ("yuyv.nut", "-pix_fmt yuyv422 -c:v rawvideo"),
        ("uyvy.avi", "-pix_fmt uyvy422 -c:v rawvideo"),
        ("big-endian.nut", "-pix_fmt yuv420p10be -c:v rawvideo"),
        ("gray.mkv", "-pix_fmt gray -c:v ffv1"),
        ("gray10.mkv", "-pix_fmt gray10le -c:v ffv1"),
        ("gray16be.nut", "-pix_fmt gray16be -c:v rawvideo"),
        ("gray-alpha.nut", "-pix_fmt ya8 -c:v rawvideo"),
        ("rgb24.nut", "-pix_fmt rgb24 -c:v rawvideo"),
        ("bgr0.avi", "-pix_fmt bgr0 -c:v rawvideo"),
        ("bottom-up.avi", "-pix_fmt bgr24 -c:v rawvideo"),
        ("ffv1-rgb.mkv", "-pix_fmt bgr0 -c:v ffv1"),
        ("gbrp10.mkv", "-pix_fmt gbrp10le -c:v ffv1"),
        (
            "palette.nut",
            "-pix_fmt pal8 -c:v rawvideo -vf split[a][b];[a]palettegen[p];[b][p]paletteuse"
        ),
        ("x264-rgb.mkv", "-pix_fmt rgb24 -c:v libx264rgb -qp 2"),
        ("motion-jpeg.mov", "-pix_fmt yuvj420p -c:v mjpeg -q:v 1"),
        (
            "full-range.mp4",
            "-vf scale=out_range=pc -pix_fmt yuv420p -color_range pc -c:v libx264 -qp 4"
        ),
        (
            "full-range-ten.mkv",
            "-vf scale=out_range=pc -pix_fmt yuv420p10le -color_range pc -c:v ffv1"
        ),
        (
            "bt709.mp4",
            "-vf scale=out_color_matrix=bt709 -pix_fmt yuv420p -colorspace bt709 -c:v libx264 -qp 4"
        ),
        (
            "bt709-be.nut",
            "-vf scale=out_color_matrix=bt709 -pix_fmt yuv420p16be -colorspace bt709 -c:v rawvideo"
        ),
        ("bt601.mp4", "-pix_fmt yuv420p -colorspace smpte170m -c:v libx264 -qp 4"),
        (
            "bt2020.mkv",
            "-vf scale=out_color_matrix=bt2020 -pix_fmt yuv420p10le -colorspace bt2020nc -c:v ffv1"
        ),
    ]

    @Test("colours are those that FFmpeg converts to", arguments: [(101, 67), (128, 96)])
    func coloursAgree(width: Int, height: Int) throws {
        // x264 and x265 refuse odd sizes.
        let formats = Self.formats.filter { $0.options.contains("x26") == (width == 128) }
        try folder.make(formats, from: Self.gradient("\(width)x\(height)"))
        let inputs = formats.flatMap { ["-i", folder.file($0.name)] }
        try ffmpeg(
            inputs
                + formats.enumerated().flatMap { index, format in
                    words("-map \(index):v -vf scale=flags=bilinear+accurate_rnd -frames:v 1")
                        + words("-f rawvideo -pix_fmt rgb24 \(folder.file(format.name)).rgb")
                })
        for format in formats {
            let path = folder.file(format.name)
            let picture = try firstPicture(path)
            #expect(picture.width == width && picture.height == height)
            let wanted = try folder.bytes(path + ".rgb").map(Float.init)
            let difference = meanDifference(picture.pixels(), wanted)
            #expect(difference < 2.3, "\(format.name): \(difference)")
        }
    }

    @Test("ten bits give the colours of eight")
    func tenBitsEqualEight() throws {
        let eight = try folder.make(
            "eight.mkv", Self.gradient("64x48") + words("-pix_fmt yuv444p -c:v ffv1"))
        for range in ["tv", "pc"] {
            let source = ["-i", eight, "-vf", "scale=out_range=\(range),format=yuv444p"]
            let first = try folder.make(
                "8\(range).mkv", source + words("-color_range \(range) -c:v ffv1"))
            let second = try folder.make(
                "10\(range).mkv",
                [
                    "-i", first, "-vf",
                    "scale=in_range=\(range):out_range=\(range),format=yuv444p10le",
                ]
                    + words("-color_range \(range) -c:v ffv1"))
            let difference = meanDifference(
                try firstPicture(first).pixels(), try firstPicture(second).pixels())
            #expect(difference < 0.6, "\(range): \(difference)")
        }
    }

    @Test("white and black reach the ends of the scale", arguments: ["yuv420p", "yuv420p10le"])
    func levels(format: String) throws {
        for (colour, level) in [("white", Float(255)), ("black", 0), ("0x808080", 128)] {
            let path = try folder.make(
                "\(colour).nut",
                ["-f", "lavfi", "-i", "color=\(colour):s=32x32:d=0.04"]
                    + words("-pix_fmt \(format) -c:v rawvideo"))
            let rgb = try firstPicture(path).pixels()
            #expect(rgb.allSatisfy { abs($0 - level) < 1.2 })
        }
    }

    @Test("a format that changes on the way is followed")
    func changingSize() throws {
        let small = try folder.make(
            "small.ts", Counter.input(frames: 10) + words("-c:v mpeg2video -q:v 2 -f mpegts"))
        let large = try folder.make(
            "large.ts",
            Counter.input(frames: 10) + words("-vf scale=128:64 -c:v mpeg2video -q:v 2 -f mpegts"))
        let joined = try folder.write(
            "joined.ts",
            try [small, large].flatMap { [UInt8](try Data(contentsOf: URL(fileURLWithPath: $0))) })
        let frames = try readAll(VideoReader(path: joined))
        #expect(Set(frames.map(\.frame.width)) == [64, 128])
        #expect(numbers(frames).contains(9) && frames.count >= 18)
        var encoding = VideoEncoding()
        encoding.size = 32
        let encoder = ClipEncoder(crop: CropSquare(x: 0, y: 0, side: 32), encoding: encoding)
        for frame in frames { try encoder.add(frame.frame) }
        let clip = try folder.write("clip.mp4", try encoder.finish())
        #expect(try readAll(VideoReader(path: clip)).count == frames.count)
    }
}

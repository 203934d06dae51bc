import Foundation
import Media
import TestSupport
import Testing

/// Pictures go from what was decoded to RGB directly, without coarser colours on the way.
@Suite struct DirectColourTests {
    private let folder: MediaFolder

    init() throws { folder = try MediaFolder() }

    private static let width = 66, height = 50

    /// Every pixel has a colour of its own: what halves the colours' resolution is seen at once. (An odd
    /// width would hide it: swscale takes more care of those.)
    private static let noise = {
        var numbers = FixedNumbers(3)
        return (0..<(width * height * 3)).map { _ in UInt8.random(in: 0...255, using: &numbers) }
    }()

    /// A lossless video of the noise's one picture.
    private func video(_ name: String, _ options: String) throws -> VideoFrame {
        let raw = try folder.write("noise.rgb", Self.noise)
        let size = "\(Self.width)x\(Self.height)"
        let input = words("-f rawvideo -pix_fmt rgb24 -s \(size) -r 25 -i \(raw)")
        return try firstPicture(try folder.make(name, input + words(options)))
    }

    private func converted(_ picture: VideoFrame) throws -> [UInt8] {
        var rgb = [UInt8](repeating: 0, count: picture.width * picture.height * 3)
        try rgb.withUnsafeMutableBufferPointer {
            try RGBConverter().convert(picture, into: $0)
        }
        return rgb
    }

    private func worst(_ a: [UInt8], _ b: [UInt8]) -> Int {
        a.count == b.count ? zip(a, b).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) } : 256
    }

    static let lossless = [
        ("x264.mkv", "-c:v libx264rgb -qp 0"), ("ffv1.mkv", "-pix_fmt bgr0 -c:v ffv1"),
        ("png.mkv", "-c:v png"), ("deep.mkv", "-pix_fmt rgb48be -c:v png"),
        ("alpha.mov", "-pix_fmt rgba -c:v png"), ("raw.nut", "-pix_fmt bgr24 -c:v rawvideo"),
        ("planar10.mkv", "-pix_fmt gbrp10le -c:v ffv1"),
        ("planar16.mkv", "-pix_fmt gbrp16le -c:v ffv1"),
    ]

    @Test("the pixels of lossless RGB are those that were encoded", arguments: lossless)
    func losslessRGB(name: String, options: String) throws {
        let picture = try video(name, options)
        // The ffmpeg command itself rounds what it deepens.
        let tolerance = name.contains("planar") || name.contains("deep") ? 1 : 0
        #expect(worst(try converted(picture), Self.noise) <= tolerance)
        let sampled = picture.pixels().map { UInt8($0.rounded()) }
        #expect(worst(sampled, Self.noise) <= tolerance)
    }

    @Test("palettes are shown as they are")
    func palettes() throws {
        let path = try folder.make(
            "p.nut",
            words("-f lavfi -i testsrc=s=66x50:r=25:d=0.04 -c:v rawvideo -pix_fmt pal8 -vf")
                + ["split[a][b];[a]palettegen[p];[b][p]paletteuse"])
        let wanted = try ffmpeg(
            ["-i", path] + words("-frames:v 1 -f rawvideo -pix_fmt rgb24 -"))
        let picture = try firstPicture(path)
        #expect(try converted(picture) == wanted)
        #expect(worst(picture.pixels().map { UInt8($0.rounded()) }, wanted) == 0)
    }

    /// The colours of the noise as 8-bit Y'CbCr of full resolution keep them, by ffmpeg's most careful
    /// conversion.
    @Test(
        "colours of full resolution stay within rounding",
        arguments: [
            ("yuv444p", "tv", "bt709"), ("yuv444p", "pc", "smpte170m"),
            ("yuv444p10le", "tv", "bt709"), ("yuva444p", "tv", "smpte170m"),
        ])
    func fullResolution(format: String, range: String, matrix: String) throws {
        let flags = "full_chroma_inp+full_chroma_int+accurate_rnd+bicubic"
        let scale = "scale=flags=\(flags):out_color_matrix=\(matrix):out_range=\(range)"
        let picture = try video(
            "a.mkv",
            "-vf \(scale),format=\(format) -colorspace \(matrix) -color_range \(range) -c:v ffv1")
        #expect(worst(try converted(picture), Self.noise) <= (format.contains("10") ? 1 : 2))
        #expect(meanDifference(picture.pixels(), Self.noise.map(Float.init)) < 0.8)
    }

    /// What the `ffmpeg` command made of them, and makes of them now.
    @Test(
        "colours of lower resolution are those of the ffmpeg command",
        arguments: ["yuv420p", "yuv422p", "yuv420p10le", "yuv411p", "yuvj420p", "yuva420p"])
    func lowerResolution(format: String) throws {
        let picture = try video("a.nut", "-pix_fmt \(format) -c:v rawvideo")
        let wanted = try ffmpeg(
            words("-i \(folder.file("a.nut")) -f rawvideo -pix_fmt rgb24 -"))
        #expect(try converted(picture) == wanted)
    }
}

import Foundation
import Media
import Testing

@Suite struct ClipEncoderTests {
    let folder: MediaFolder

    init() throws { folder = try MediaFolder() }

    func encode(
        _ path: String, _ crop: CropSquare, size: Int, crf: Int = 4, keyframeInterval: Int = 25
    ) throws -> [UInt8] {
        var encoding = VideoEncoding()
        (encoding.size, encoding.crf) = (size, crf)
        encoding.keyframeInterval = keyframeInterval
        let encoder = ClipEncoder(crop: crop, encoding: encoding)
        for frame in try readAll(VideoReader(path: path)) { try encoder.add(frame.frame) }
        return try encoder.finish()
    }

    @Test("every picture comes out once, at 25 fps, without reordering, with its key frames")
    func structure() throws {
        let path = try folder.make(
            "slow.mp4", Counter.input(frames: 30, rate: "15") + words("-c:v libx264"))
        let bytes = try encode(
            path, CropSquare(x: 0, y: -16, side: 64), size: 64, keyframeInterval: 7)
        let clip = try folder.write("clip.mp4", bytes)
        let listed = try run(
            words("ffprobe -v error -show_entries stream=width,height,r_frame_rate,has_b_frames")
                + words("-show_entries frame=key_frame,pict_type,pts -of csv \(clip)"))
        let lines = String(decoding: listed, as: UTF8.self).split(separator: "\n")
        let frames = lines.filter { $0.hasPrefix("frame") }.map { $0.split(separator: ",") }
        #expect(frames.count == 50)
        #expect(lines.contains { $0.hasPrefix("stream,64,64,0,25/1") })
        #expect(frames.allSatisfy { $0[3] != "B" })
        // x264 may put one earlier, at a cut.
        let keys = frames.indices.filter { frames[$0][1] == "1" } + [50]
        #expect(keys.first == 0 && zip(keys, keys.dropFirst()).allSatisfy { $1 - $0 <= 7 })
        let times = frames.compactMap { Int($0[2]) }
        #expect(times.first == 0)
        #expect(Set(zip(times, times.dropFirst()).map { $1 - $0 }).count == 1)
        let source = try Counter.numbersByFFmpeg(path)
        let shown = try readAll(VideoReader(path: clip)).map { picture in
            let rgb = picture.frame.pixels()
            return (0..<8).reduce(0) { $0 | (rgb[(32 * 64 + $1 * 8 + 4) * 3] > 127 ? 1 << $1 : 0) }
        }
        #expect(shown == source)
    }

    @Test("the same pictures give the same bytes")
    func determinism() throws {
        let path = try folder.make(
            "source.mp4", words("-f lavfi -i testsrc2=s=160x120:d=1 -c:v libx264"))
        let crop = CropSquare(x: 10, y: 5, side: 100)
        let first = try encode(path, crop, size: 64, crf: 20)
        #expect(first == (try encode(path, crop, size: 64, crf: 20)))
    }

    @Test("a picture that the crop misses ends the clip with an error and no harm")
    func missedOnTheWay() throws {
        let large = try firstPicture(
            try folder.make("large.mp4", words("-f lavfi -i testsrc=s=64x64:d=0.04 -c:v libx264")))
        let small = try firstPicture(
            try folder.make("small.mp4", words("-f lavfi -i testsrc=s=32x32:d=0.04 -c:v libx264")))
        var encoding = VideoEncoding()
        encoding.size = 32
        let encoder = ClipEncoder(crop: CropSquare(x: 40, y: 0, side: 24), encoding: encoding)
        try encoder.add(large)
        #expect(errorCode { try encoder.add(small) } == .processing)
        try encoder.add(large)
        #expect(encoder.frameCount == 2)
    }

    @Test("a clip keeps the matrix of its source and says which it is")
    func matrices() throws {
        for (matrix, options) in [("bt709", "bt709"), ("smpte170m", "smpte170m")] {
            let path = try folder.make(
                "\(matrix).mkv",
                words("-f lavfi -i smptebars=s=64x64:d=0.04 -pix_fmt yuv444p")
                    + words("-vf scale=out_color_matrix=\(options) -colorspace \(matrix) -c:v ffv1")
            )
            let bytes = try encode(path, CropSquare(x: 0, y: 0, side: 64), size: 64)
            let clip = try folder.write("clip.mp4", bytes)
            let stated = try run(
                words("ffprobe -v error -show_entries stream=color_space -of csv=p=0 \(clip)"))
            #expect(String(decoding: stated, as: UTF8.self).hasPrefix(matrix))
            let (before, after) = (try firstPicture(path), try firstPicture(clip))
            #expect(meanDifference(before.pixels(), after.pixels()) < 6)
        }
    }

    @Test("the quality is that of FFmpeg's own crop and scale", arguments: [48, 64, 100, 128])
    func quality(size: Int) throws {
        let path = try folder.make(
            "source.mkv",
            words("-f lavfi -i testsrc2=s=161x121:d=0.2,hue=s=0.3 -pix_fmt yuv444p -c:v ffv1"))
        let clip = try folder.write(
            "clip.mp4", try encode(path, CropSquare(x: 20, y: 11, side: 100), size: size))
        let wanted = try pixelsByFFmpeg(
            path,
            filter: "crop=100:100:20:11,"
                + "scale=\(size):\(size):flags=lanczos+accurate_rnd+full_chroma_int,format=yuv420p")
        let ratio = signalToNoise(try pixelsByFFmpeg(clip), wanted)
        #expect(ratio > 35, "\(ratio) dB")
    }

    @Test("what lies outside the picture is black")
    func outside() throws {
        let path = try folder.make(
            "white.mkv", words("-f lavfi -i color=white:s=64x32:d=0.2 -c:v ffv1"))
        for (crop, inside) in [
            (CropSquare(x: -16, y: -8, side: 64), (16..<64, 8..<40)),
            (CropSquare(x: 32, y: 16, side: 64), (0..<32, 0..<16)),
            (CropSquare(x: 0, y: -16, side: 64), (0..<64, 16..<48)),
        ] {
            let clip = try folder.write("clip.mp4", try encode(path, crop, size: 64))
            let rgb = try firstPicture(clip).pixels()
            for y in stride(from: 1, to: 64, by: 3) {
                for x in stride(from: 1, to: 64, by: 3) {
                    let isEdge =
                        [inside.0.lowerBound, inside.0.upperBound].contains { abs($0 - x) < 3 }
                        || [inside.1.lowerBound, inside.1.upperBound].contains { abs($0 - y) < 3 }
                    if isEdge { continue }
                    let isInside = inside.0.contains(x) && inside.1.contains(y)
                    #expect(abs(rgb[(y * 64 + x) * 3 + 1] - (isInside ? 255 : 0)) < 6)
                }
            }
        }
    }

    @Test("a crop that barely touches the picture is encoded, one that misses it is an error")
    func barelyTouching() throws {
        let path = try folder.make(
            "white.mp4", words("-f lavfi -i color=white:s=64x32:d=0.08 -c:v libx264"))
        for crop in [
            CropSquare(x: 63, y: 31, side: 300), CropSquare(x: -299, y: -299, side: 300),
            CropSquare(x: 63, y: 0, side: 32), CropSquare(x: 5, y: 7, side: 1),
        ] {
            let clip = try folder.write("clip.mp4", try encode(path, crop, size: 32))
            #expect(try readAll(VideoReader(path: clip)).count == 2)
        }
        let missing = CropSquare(x: 64, y: 0, side: 10)
        #expect(errorCode { _ = try encode(path, missing, size: 32) } == .processing)
    }

    @Test("full-range and ten-bit pictures keep their brightness")
    func brightness() throws {
        for (name, options) in [
            ("full.mkv", "-vf scale=out_range=pc -pix_fmt yuv420p -color_range pc"),
            ("ten.mkv", "-pix_fmt yuv420p10le"), ("gray.mkv", "-pix_fmt gray"),
            ("rgb.mkv", "-pix_fmt bgr0"),
        ] {
            let path = try folder.make(
                name, words("-f lavfi -i color=0x909090:s=64x64:d=0.08 \(options) -c:v ffv1"))
            let clip = try folder.write(
                "clip.mp4", try encode(path, CropSquare(x: 8, y: 8, side: 40), size: 40))
            #expect(try firstPicture(path).pixels().allSatisfy { abs($0 - 144) < 2 })
            #expect(try firstPicture(clip).pixels().allSatisfy { abs($0 - 144) < 3 })
        }
    }

    @Test(
        "high dynamic range is mapped, whatever its labels leave out",
        arguments: [
            "-color_trc smpte2084 -color_primaries bt2020 -colorspace bt2020nc -color_range tv",
            "-color_trc arib-std-b67", "-color_trc smpte2084",
        ])
    func highDynamicRange(labels: String) throws {
        let path = try folder.make(
            "bright.mkv",
            words("-f lavfi -i testsrc2=s=97x65:d=0.08 -pix_fmt yuv420p10le \(labels) -c:v ffv1"))
        let clip = try folder.write(
            "clip.mp4", try encode(path, CropSquare(x: 3, y: 5, side: 51), size: 48))
        let picture = try firstPicture(clip)
        #expect(picture.width == 48 && picture.height == 48)
        #expect(Set(picture.pixels().map { Int($0 / 16) }).count > 6)
    }

    @Test("settings that x264 does not know are an error")
    func wrongPreset() {
        var encoding = VideoEncoding()
        encoding.preset = "quickest"
        #expect(errorCode { try encoding.check() } == .processing)
    }
}

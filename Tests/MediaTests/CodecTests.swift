import Foundation
import Media
import Testing

@Suite struct CodecTests {
    let folder: MediaFolder

    init() throws { folder = try MediaFolder() }

    static let codecs: [(name: String, codec: String, options: String)] = [
        ("h264.mp4", "h264", "-c:v libx264 -preset ultrafast"),
        ("hevc.mp4", "hevc", "-c:v libx265 -x265-params log-level=none:bframes=3"),
        ("vp8.webm", "vp8", "-c:v libvpx -deadline realtime -cpu-used 8 -auto-alt-ref 1"),
        ("vp9.webm", "vp9", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8"),
        ("av1.mkv", "av1", "-c:v libaom-av1 -cpu-used 8 -usage realtime"),
        ("av1.mp4", "av1", "-c:v libsvtav1 -preset 12"),
        ("mpeg4.mp4", "mpeg4", "-c:v mpeg4 -q:v 2 -bf 2"),
        ("mpeg2.mkv", "mpeg2video", "-c:v mpeg2video -q:v 2 -bf 2"),
        ("flv1.flv", "flv1", "-c:v flv -q:v 2"),
        ("wmv.asf", "wmv2", "-c:v wmv2 -q:v 2"),
        ("theora.ogv", "theora", "-c:v libtheora -q:v 9"),
    ]

    @Test("the codecs of the field are decoded, in their order")
    func codecs() throws {
        // Larger than other fixtures: some encoders refuse tiny pictures.
        let outputs = Self.codecs.map { codec in
            (name: codec.name, options: "-vf scale=128:64:flags=neighbor " + codec.options)
        }
        try folder.make(outputs, from: Counter.input(frames: 30))
        for codec in Self.codecs {
            let path = folder.file(codec.name)
            let probe = try MediaProbe(path: path)
            #expect(probe.video.codec == codec.codec)
            #expect(probe.video.gridFrames == 30)
            #expect(numbers(try readAll(VideoReader(path: path))) == Array(0..<30), "\(path)")
            let part = try VideoReader(path: path, clock: probe.video.clock, range: 17..<21)
            #expect(numbers(try readAll(part)) == Array(17..<21), "\(path)")
        }
    }

    /// A bar that moves six pixels a field, and so looks like a comb in interlaced pictures.
    static let interlacing =
        "color=black:s=128x64:r=50:d=1,format=yuv420p,"
        + "geq=lum='if(lt(mod(X-6*N+640\\,128)\\,40)\\,220\\,30)':cb=128:cr=128,"

    static let interlaced = [
        "-c:v mpeg2video -q:v 2 -flags +ildct+ilme -g 12",
        "-c:v libx264 -qp 8 -flags +ildct+ilme -g 12",
    ]

    @Test("interlaced pictures are deinterlaced, one for one", arguments: interlaced)
    func deinterlaces(options: String) throws {
        let path = try folder.make(
            "interlaced.mkv",
            ["-f", "lavfi", "-i", Self.interlacing + "interlace=lowpass=0,setfield=tff"]
                + words("\(options) -top 1"))
        let probe = try MediaProbe(path: path)
        let frames = try readAll(VideoReader(path: path))
        #expect(frames.count == 25 && probe.video.gridFrames == 25)
        #expect(frames.map(\.isRepeat) == [Bool](repeating: false, count: 25))
        #expect(combing(try pixelsByFFmpeg(path)) > 10)
        for frame in frames.dropFirst().dropLast() {
            #expect(combing(frame.frame.pixels()) < 3)
        }
        // In the middle the same pictures come, to the last bit.
        let part = try readAll(
            VideoReader(path: path, clock: probe.video.clock, range: 14..<20))
        #expect(part.map(\.index) == Array(14..<20))
        for frame in part { #expect(frame.frame.pixels() == frames[frame.index].frame.pixels()) }
    }

    /// Mean difference of a line from the mean of those above and below it.
    private func combing(_ rgb: [Float]) -> Float {
        var sum: Float = 0
        for y in 1..<63 {
            for x in 0..<128 {
                let around = (rgb[((y - 1) * 128 + x) * 3] + rgb[((y + 1) * 128 + x) * 3]) / 2
                sum += abs(rgb[(y * 128 + x) * 3] - around)
            }
        }
        return sum / Float(62 * 128)
    }
}

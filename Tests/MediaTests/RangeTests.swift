import Foundation
import Media
import Testing

@Suite struct RangeTests {
    let folder: MediaFolder

    init() throws { folder = try MediaFolder() }

    static let recipes: [(name: String, options: String)] = [
        ("long.mp4", "-c:v libx264 -g 250 -bf 3"),
        ("long.mkv", "-c:v libx264 -g 250 -bf 3"),
        ("open.mp4", "-c:v libx264 -g 24 -bf 3 -x264-params open-gop=1:b-pyramid=normal"),
        ("open.mkv", "-c:v libx264 -g 24 -bf 3 -x264-params open-gop=1"),
        ("open.ts", "-c:v libx264 -g 24 -bf 3 -x264-params open-gop=1"),
        ("long.ts", "-c:v libx264 -g 250 -bf 3"),
        ("mpeg4.avi", "-c:v mpeg4 -q:v 2 -g 40 -bf 2"),
        ("mpeg4-plain.avi", "-c:v mpeg4 -q:v 2 -g 40"),
        ("h264.avi", "-c:v libx264 -g 40 -bf 3"),
        ("mpeg2.ts", "-c:v mpeg2video -q:v 2 -g 15 -bf 2"),
        ("mpeg2.mpg", "-c:v mpeg2video -q:v 2 -g 15 -bf 2"),
        ("raw.h264", "-c:v libx264 -g 40 -bf 3"),
        ("raw.m4v", "-c:v mpeg4 -q:v 2 -g 40 -bf 2 -f m4v"),
        ("fragmented.mp4", "-c:v libx264 -g 40 -bf 2 -movflags frag_keyframe+empty_moov"),
        ("h264.flv", "-c:v libx264 -g 40 -bf 2"),
    ]

    @Test("a range gives the pictures that the whole gives there")
    func rangeEqualsSlice() throws {
        try folder.make(Self.recipes, from: Counter.input(frames: 120))
        for recipe in Self.recipes { try expectSlices(folder.file(recipe.name)) }
    }

    private func expectSlices(_ path: String) throws {
        let whole = numbers(try readAll(VideoReader(path: path, threads: 1)))
        #expect(whole == Array(0..<120), "\(path)")
        let probe = try MediaProbe(path: path)
        #expect(probe.video.gridFrames == 120)
        for range in [0..<3, 1..<2, 23..<27, 50..<77, 96..<97, 110..<500, 119..<120, 130..<140] {
            for threads in [1, 3] {
                let part = try readAll(
                    VideoReader(
                        path: path, clock: probe.video.clock, range: range, threads: threads))
                let wanted = range.clamped(to: 0..<120)
                #expect(numbers(part) == Array(wanted), "\(path) at \(range)")
                #expect(part.map(\.index) == Array(wanted))
            }
        }
    }

    @Test("a range of slow video begins with the picture that is being shown")
    func rangeOfSlowVideo() throws {
        let path = try folder.make(
            "slow.mkv", Counter.input(frames: 8, rate: "2") + words("-c:v libx264 -g 4"))
        let clock = try MediaProbe(path: path).video.clock
        let part = try readAll(VideoReader(path: path, clock: clock, range: 45..<55))
        #expect(numbers(part) == [3, 3, 3, 3, 3, 4, 4, 4, 4, 4])
        #expect(part.map(\.isRepeat) == part.map { $0.index != 50 })
    }

    @Test("a member inside a larger file reads as the file itself")
    func memberOfAnArchive() throws {
        for name in ["member.mp4", "member.mkv"] {
            let path = try folder.make(
                name, Counter.input(frames: 60) + words("-c:v libx264 -g 20"))
            let member = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
            let archive = try folder.write(
                "archive, of: members.tar",
                [UInt8](repeating: 7, count: 1536) + member + [UInt8](repeating: 9, count: 5000))
            let bytes = 1536..<(1536 + member.count)
            let reader = try VideoReader(path: archive, bytes: bytes)
            #expect(numbers(try readAll(reader)) == Array(0..<60))
            let part = try VideoReader(
                path: archive, bytes: bytes, clock: reader.clock, range: 41..<50)
            #expect(numbers(try readAll(part)) == Array(41..<50))
        }
    }

    @Test("the number of threads changes no picture, even where packets are damaged")
    func threadsChangeNothing() throws {
        let path = try folder.make(
            "damaged.mkv",
            Counter.input(frames: 100)
                + words("-c:v libx264 -g 30 -bsf:v noise=drop='eq(mod(n,17),0)':amount=-3"))
        let counts = try [1, 2, 5].map { threads in
            numbers(try readAll(VideoReader(path: path, threads: threads)))
        }
        #expect(counts[0] == counts[1] && counts[0] == counts[2])
        #expect(counts[0].count > 50)
    }

    @Test("a clock of another file is refused")
    func foreignClock() throws {
        let path = try folder.make("one.mp4", Counter.input(frames: 3) + words("-c:v libx264"))
        let clock = VideoClock(start: 0, numerator: 1, denominator: 12345)
        #expect(errorCode { _ = try VideoReader(path: path, clock: clock) } == .unreadable)
    }
}

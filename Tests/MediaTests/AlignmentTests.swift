import Foundation
import Media
import Testing

/// A white flash and a beep at the same moment: do they meet after reading?
@Suite struct AlignmentTests {
    let folder: MediaFolder

    init() throws { folder = try MediaFolder() }

    static let flashFrame = 30
    static let video =
        "color=black:s=64x64:r=25:d=3,geq=lum='if(eq(N\\,30)\\,235\\,16)':cb=128:cr=128"
    static let audio = "aevalsrc='gte(t,1.2)*lt(t,1.5)*0.7*cos(2*PI*1000*t)':s=48000:d=3"

    static let recipes: [(name: String, options: String)] = [
        ("aac.mp4", "-c:v libx264 -bf 3 -c:a aac -b:a 128k"),
        ("opus.mp4", "-c:v libx264 -bf 3 -c:a libopus -b:a 128k"),
        ("opus.mkv", "-c:v libx264 -bf 3 -c:a libopus -b:a 128k"),
        ("pcm.mov", "-c:v libx264 -bf 3 -c:a pcm_s16le"),
        ("mp2.ts", "-c:v libx264 -bf 3 -c:a mp2 -b:a 256k"),
        ("mp3.mkv", "-c:v libx264 -c:a libmp3lame -b:a 128k"),
        ("vorbis.webm", "-c:v libvpx -deadline realtime -cpu-used 8 -c:a libvorbis -q:a 6"),
    ]

    @Test(
        "the beep falls on the flash, whichever stream begins later",
        arguments: [(0.0, 0.0), (0.52, 0), (0, 0.3)])
    func beepMeetsFlash(videoOffset: Double, audioOffset: Double) throws {
        try folder.make(
            Self.recipes,
            from: ["-itsoffset", "\(videoOffset)", "-f", "lavfi", "-i", Self.video]
                + ["-itsoffset", "\(audioOffset)", "-f", "lavfi", "-i", Self.audio])
        for recipe in Self.recipes {
            // FFmpeg's Matroska muxer shifts video by the codec's delay and Opus not.
            let slack = recipe.name == "opus.mkv" ? 128.0 : 32
            try expectMeeting(
                folder.file(recipe.name), delay: audioOffset - videoOffset, slack: slack)
        }
    }

    @Test("they meet in a file that was cut without re-encoding", arguments: ["mp4", "mkv"])
    func cutFile(container: String) throws {
        let whole = try folder.make(
            "whole.mp4",
            ["-f", "lavfi", "-i", Self.video, "-f", "lavfi", "-i", Self.audio]
                + words("-c:v libx264 -bf 3 -g 10 -c:a aac -b:a 128k"))
        let cut = try folder.make("cut.\(container)", words("-ss 0.52 -i \(whole) -c copy"))
        try expectMeeting(cut, delay: 0, slack: 32)
    }

    /// - Parameters:
    ///   - delay: seconds by which the beep comes later than the flash.
    ///   - slack: samples: a millisecond for containers that count in them, and the codec's smear.
    private func expectMeeting(_ path: String, delay: Double, slack: Double) throws {
        let reader = try VideoReader(path: path)
        let flash = try #require(
            try readAll(reader).first { $0.frame.pixels(width: 1, height: 1)[0] > 127 }
        ).index
        for first in [0, flash - 7] {
            let samples = try AudioReader.read(
                path: path, start: reader.clock.startSeconds + Double(first) / 25, count: 48000)
            let onset = try #require(samples.firstIndex { abs($0) > 0.2 })
            let wanted = Double((flash - first) * 640) + delay * 16000
            guard wanted > 0 else { continue }
            #expect(abs(Double(onset) - wanted) < slack, "\(path) from frame \(first): \(onset)")
        }
    }
}

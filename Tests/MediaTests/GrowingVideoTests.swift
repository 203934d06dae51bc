import Errors
import Foundation
import Media
import Testing

@Suite struct GrowingVideoTests {
    private static let side = 64
    private let folder: MediaFolder

    init() throws { folder = try MediaFolder() }

    /// A tone of so many seconds, loud in its second half.
    private func tone(_ seconds: Double) throws -> String {
        let loudness = "volume='if(lt(t,\(seconds / 2)),0.05,0.8)':eval=frame"
        return try folder.make(
            "tone.wav",
            [
                "-f", "lavfi", "-i",
                "sine=frequency=440:sample_rate=44100:duration=\(seconds),\(loudness)",
            ])
    }

    private func pictures(_ range: Range<Int>) -> [[UInt8]] {
        range.map { number in
            (0..<(Self.side * Self.side)).flatMap { place -> [UInt8] in
                let x = place % Self.side
                return [UInt8(number * 4), UInt8(x * 4), x < 2 * number ? 220 : 30]
            }
        }
    }

    private func encoding() -> VideoEncoding {
        var encoding = VideoEncoding()
        encoding.size = Self.side
        return encoding
    }

    @Test func aLiveVideoIsTheSameBytes() throws {
        let sound = try tone(1.3)
        let grown = try GrowingVideo(
            path: folder.file("grown.mp4"), sound: sound, encoding: encoding(), frames: 33)
        var bytes: [UInt8] = []
        let live = try LiveVideo(encoding: encoding(), rate: 48_000) { bytes += $0 }
        let stream = try AudioStream(path: sound, rate: 48_000)
        for range in [0..<12, 12..<24, 24..<33] {
            try grown.append(pictures(range))
            let heard = try stream.next(range.count * live.samplesPerFrame)
            try live.append(pictures(range), sound: heard, isLast: range.upperBound == 33)
        }
        #expect(try folder.bytes(folder.file("grown.mp4")) == bytes)
    }

    @Test(arguments: [16_000, 24_000, 48_000]) func liveSoundIsThatOfAFile(rate: Int) throws {
        let path = try tone(1.3)
        let whole = try AudioReader.read(path: path, start: 0, count: 20_000)
        let stream = try AudioStream(path: path, rate: rate)
        let live = LiveSound(rate: rate)
        var heard: [Float] = []
        while case let piece = try stream.next(1000), !piece.isEmpty {
            heard += try live.resample(piece)
        }
        heard += try live.resample([])
        #expect(abs(heard.count - 20_800) <= 16)
        #expect(correlation(Array(heard.prefix(20_000)), whole) > 0.99)
    }

    @Test func whatIsMadeCanBePlayedAtOnceAndGoesOnToTheSameBytes() throws {
        let sound = try tone(1.3)  // 33 frames, the last one half
        func grow(_ name: String, _ progress: GrowingVideo.Progress = .init()) throws
            -> GrowingVideo
        {
            try GrowingVideo(
                path: folder.file(name), sound: sound, encoding: encoding(), frames: 33,
                continuing: progress)
        }
        let whole = try grow("whole.mp4")
        for range in [0..<12, 12..<24, 24..<33] { try whole.append(pictures(range)) }

        var place = GrowingVideo.Progress()
        do {
            let first = try grow("part.mp4")
            try first.append(pictures(0..<12))
            place = first.progress
            // A piece that nobody knows to be finished.
            try first.append(pictures(0..<12))
        }
        #expect(try frames(folder.file("part.mp4")) == 24)
        for range in [12..<24, 24..<33] {
            let next = try grow("part.mp4", place)
            try next.append(pictures(range))
            place = next.progress
        }
        #expect(place == whole.progress)
        let files = try ["whole.mp4", "part.mp4"].map { try folder.bytes(folder.file($0)) }
        #expect(files[0] == files[1])

        try whole.finish(to: folder.file("out.mp4"))
        let probe = try MediaProbe(path: folder.file("out.mp4"))
        #expect(probe.video.gridFrames == 33)
        #expect(try frames(folder.file("out.mp4")) == 33)
        #expect(probe.video.clock.startSeconds == 0)
        // Sound and picture end together, and the sound is the input's, at the input's time.
        #expect(abs(probe.lastPacketEnd - 33.0 / 25) < 0.002)
        let heard = try AudioReader.read(path: folder.file("out.mp4"), start: 0, count: 33 * 640)
        let given = try AudioReader.read(path: sound, start: 0, count: 33 * 640)
        #expect(correlation(heard, given) > 0.99)
        #expect(abs(heard.suffix(320).reduce(0, +)) < 3)
    }

    @Test func picturesComeBackInTheirColours() throws {
        let video = try GrowingVideo(
            path: folder.file("v.mp4"), sound: try tone(0.2), encoding: encoding(),
            frames: 5)
        let given = pictures(20..<25)
        try video.append(given)
        try video.finish(to: folder.file("out.mp4"))
        let reader = try VideoReader(path: folder.file("out.mp4"))
        let converter = RGBConverter()
        for picture in given {
            let frame = try #require(try reader.next()?.frame)
            var rgb = [UInt8](repeating: 0, count: Self.side * Self.side * 3)
            try rgb.withUnsafeMutableBufferPointer { try converter.convert(frame, into: $0) }
            let errors = zip(rgb, picture).map { abs(Int($0) - Int($1)) }
            #expect(errors.reduce(0, +) < 4 * errors.count)
        }
        #expect(try reader.next() == nil)
    }

    @Test func aFileThatWasCutShortIsNotGoneOnWith() throws {
        let sound = try tone(1)
        let video = try GrowingVideo(
            path: folder.file("v.mp4"), sound: sound, encoding: encoding(), frames: 25)
        try video.append(pictures(0..<12))
        try FileHandle(forWritingTo: URL(fileURLWithPath: folder.file("v.mp4")))
            .truncate(atOffset: 100)
        #expect(throws: LoopyError.self) {
            try GrowingVideo(
                path: folder.file("v.mp4"), sound: sound, encoding: encoding(), frames: 25,
                continuing: video.progress)
        }
    }

    private func frames(_ path: String) throws -> Int {
        let reader = try VideoReader(path: path)
        var count = 0
        while let picture = try reader.next() { count += picture.isRepeat ? 0 : 1 }
        return count
    }

    private func correlation(_ a: [Float], _ b: [Float]) -> Double {
        func dot(_ a: [Float], _ b: [Float]) -> Double {
            zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        return dot(a, b) / (dot(a, a) * dot(b, b)).squareRoot()
    }
}

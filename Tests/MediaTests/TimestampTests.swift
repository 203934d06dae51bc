import Foundation
import Media
import Testing

@Suite struct TimestampTests {
    let folder: MediaFolder

    init() throws { folder = try MediaFolder() }

    /// An FLV file whose tags, picture by picture, are given other times, in milliseconds.
    func makeFlash(_ name: String, frames: Int, _ time: (Int) -> Int) throws -> String {
        let path = try folder.make(
            "source.flv", Counter.input(frames: frames) + words("-c:v flv -q:v 2 -g 12"))
        var bytes = try folder.bytes(path)
        var (place, picture) = (13, 0)
        while place + 11 < bytes.count {
            let size =
                Int(bytes[place + 1]) << 16 | Int(bytes[place + 2]) << 8 | Int(bytes[place + 3])
            if bytes[place] == 9 {
                let value = UInt32(truncatingIfNeeded: time(picture))
                for (index, shift) in [16, 8, 0, 24].enumerated() {
                    bytes[place + 4 + index] = UInt8(truncatingIfNeeded: value >> UInt32(shift))
                }
                picture += 1
            }
            place += 11 + size + 4
        }
        return try folder.write(name, bytes)
    }

    /// Every range of a file with broken timestamps is still a slice of the whole.
    func expectConsistent(_ path: String, count: ClosedRange<Int>) throws -> [Int] {
        let whole = numbers(try readAll(VideoReader(path: path)))
        #expect(count.contains(whole.count))
        let probe = try MediaProbe(path: path)
        #expect(probe.video.gridFrames == whole.count)
        for range in [5..<9, 17..<31, (whole.count - 3)..<(whole.count + 5)] {
            let part = try readAll(
                VideoReader(path: path, clock: probe.video.clock, range: range))
            #expect(numbers(part) == Array(whole[range.clamped(to: 0..<whole.count)]))
        }
        return whole
    }

    @Test("joined recordings whose time begins anew are read one after the other")
    func restart() throws {
        let one = try folder.make(
            "one.ts", Counter.input(frames: 40) + words("-c:v libx264 -g 12 -bf 2 -f mpegts"))
        let joined = try folder.write("joined.ts", try folder.bytes(one) + folder.bytes(one))
        let whole = try expectConsistent(joined, count: 78...82)
        #expect(Array(whole.prefix(40)) == Array(0..<40))
        #expect(Array(whole.suffix(20)) == Array(20..<40))
        #expect(try MediaProbe(path: joined).video.clock.isRegular == false)
    }

    @Test(
        "the sound of joined recordings lies beside their pictures",
        arguments: [0, 900, 80_000, -900])
    func restartWithSound(offset: Int) throws {
        // Red with a low tone, then blue with a high one, whatever times the second has.
        func make(_ name: String, _ colour: String, _ frequency: Int, _ offset: Int) throws
            -> String
        {
            try folder.make(
                name,
                words(
                    "-f lavfi -i color=\(colour):s=64x64:r=25:d=3 -f lavfi -i sine=f=\(frequency):r=48000:d=3 "
                        + "-c:v libx264 -bf 0 -c:a mp2 -output_ts_offset \(offset + 1000) -f mpegts"
                ))
        }
        let joined = try folder.write(
            "joined.ts",
            try folder.bytes(make("a.ts", "red", 300, 0))
                + folder.bytes(make("b.ts", "blue", 1200, offset)))
        let probe = try MediaProbe(path: joined)
        // A forward jump of less than an hour is a pause.
        let pause = (1...3600).contains(offset) ? offset - 3 : 0
        let seconds = Double(6 + pause)
        #expect(abs(Double(probe.video.gridFrames) / 25 - seconds) < 0.1)
        #expect(abs(try #require(probe.audio?.end) - seconds) < 0.1)
        #expect(probe.duration <= probe.lastPacketEnd + 0.1)
        let clock = probe.video.clock
        for (time, frequency) in [(1.0, 300.0), (4.0 + Double(pause), 1200)] {
            let sound = try AudioReader.read(
                path: joined, start: clock.startSeconds + time, count: 16_000,
                isRegular: clock.isRegular)
            #expect(Tone(sound[...], from: 0, frequency: frequency).amplitude > 0.05, "\(time) s")
            #expect(Tone(sound[...], from: 0, frequency: 1500 - frequency).amplitude < 0.01)
            let frame = Int(time) * 25 + 12
            let picture = try #require(
                try VideoReader(path: joined, clock: clock, range: frame..<(frame + 1)).next())
            let pixels = picture.frame.pixels()
            #expect((pixels[0] > pixels[2]) == (frequency == 300), "\(time) s")
        }
    }

    @Test("sound goes on where it ended, unless timestamps say otherwise")
    func sound() {
        /// Where frames of 20 ms are placed that state these times.
        func placed(_ stated: [Double?]) -> [Double] {
            var clock = SoundClock()
            return stated.map { (clock.place($0, seconds: 0.02) * 1000).rounded() / 1000 }
        }
        // Jitter, a gap, and none stated.
        #expect(placed([1, 1.03, 1.04, 5, nil, 5.04]) == [1, 1.02, 1.04, 5, 5.02, 5.04])
        // Samples that are shorter than they say are moved back.
        #expect(placed([1, 1.01, 1, 1.02]) == [1, 1.02, 1, 1.02])
        // One that is wrong counts for nothing, forwards or back.
        #expect(placed([9, 2, 9.04, 9.06]) == [9, 9.02, 9.04, 9.06])
        #expect(placed([9, 90_000, 9.04, 9.06]) == [9, 9.02, 9.04, 9.06])
        // Time that begins anew, or leaps, goes on, with the gaps in it.
        #expect(placed([9, 2, 2.02, 2.04, 3.06]) == [9, 9.02, 9.04, 9.06, 10.08])
        #expect(placed([9, 2, nil, 2.04, nil, 3.08]) == [9, 9.02, 9.04, 9.06, 9.08, 10.1])
        #expect(placed([9, 90_000, 90_000.02, 90_001]) == [9, 9.02, 9.04, 10.02])
    }

    @Test("a timestamp that steps back is put after the one before")
    func backward() throws {
        let path = try makeFlash("backward.flv", frames: 40) { $0 == 20 ? 100 : $0 * 40 }
        let whole = try expectConsistent(path, count: 39...41)
        #expect(whole.contains(20) && whole == whole.sorted())
    }

    @Test("a leap of days is no pause")
    func leap() throws {
        let once = try makeFlash("once.flv", frames: 40) { $0 == 20 ? 1_000_000_000 : $0 * 40 }
        #expect(try expectConsistent(once, count: 39...42).contains(39))
        let lasting = try makeFlash("lasting.flv", frames: 40) {
            $0 * 40 + ($0 >= 20 ? 1_000_000_000 : 0)
        }
        #expect(try expectConsistent(lasting, count: 39...42) == Array(0..<40))
        #expect(try MediaProbe(path: lasting).lastPacketEnd < 10)
    }

    @Test("a pause of minutes is kept")
    func pause() throws {
        let path = try makeFlash("pause.flv", frames: 40) { $0 * 40 + ($0 >= 20 ? 200_000 : 0) }
        let probe = try MediaProbe(path: path)
        #expect(probe.video.gridFrames == 5040 && probe.video.clock.isRegular)
        let part = try readAll(
            VideoReader(path: path, clock: probe.video.clock, range: 5018..<5024))
        #expect(numbers(part) == [19, 19, 20, 21, 22, 23])
    }

    @Test("pauses that add up beyond the limit are refused")
    func tooLong() throws {
        let path = try makeFlash("long.flv", frames: 20) { $0 * 3_000_000 }
        #expect(errorCode { _ = try MediaProbe(path: path) } == .tooLarge)
    }

    @Test(
        "timestamps near the end of what 64 bits hold do no harm",
        arguments: ["9e15", "4e18", "-4e18"])
    func absurd(offset: String) throws {
        let source = try folder.make(
            "source.nut",
            Counter.input(frames: 30)
                + words("-f lavfi -i sine=d=1.2 -c:v mpeg4 -q:v 2 -c:a pcm_s16le"))
        for moved in ["if(gte(N\\,15)\\,TS+\(offset)\\,TS)", "TS+\(offset)"] {
            for container in ["nut", "mkv"] {
                // Muxers may refuse such times; what they do write must be read without harm.
                guard
                    let path = try? folder.make(
                        "absurd.\(container)",
                        words("-i \(source) -c copy -bsf:v setts=ts=\(moved)"))
                else { continue }
                guard let probe = try? MediaProbe(path: path) else { continue }
                #expect((1...40).contains(probe.video.gridFrames))
                let clock = probe.video.clock
                _ = try readAll(VideoReader(path: path, clock: clock, range: 10..<20))
                let samples = try? AudioReader.read(
                    path: path, start: clock.startSeconds + 0.4, count: 640)
                #expect(samples?.count ?? 640 == 640)
            }
        }
    }

    @Test("a clock with absurd numbers cannot stop the reader")
    func absurdClock() throws {
        let path = try folder.make("plain.mp4", Counter.input(frames: 30) + words("-c:v libx264"))
        var clock = try MediaProbe(path: path).video.clock
        for start in [Int64.min, Int64.max, 1 << 62] {
            clock.start = start
            let reader = try VideoReader(path: path, clock: clock, range: 3..<9)
            #expect(try readAll(reader).count <= 6)
        }
        #expect(
            try AudioReader.read(
                path: try folder.make("s.wav", words("-f lavfi -i sine=d=1")), start: 1e300,
                count: 5)
                == [Float](repeating: 0, count: 5))
    }
}

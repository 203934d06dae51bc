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

import Foundation
import Media
import Testing

@Suite struct GridTests {
    let folder: MediaFolder

    init() throws { folder = try MediaFolder() }

    @Test(
        "picture n is the one that FFmpeg's fps=25 chooses",
        arguments: ["12", "24", "25", "30000/1001", "30", "50", "60"])
    func choosesAsFFmpegDoes(rate: String) throws {
        let path = try folder.make(
            "rate.mp4",
            Counter.input(frames: 61, rate: rate) + words("-c:v libx264 -preset ultrafast"))
        let expected = try Counter.numbersByFFmpeg(path)
        let read = try readAll(VideoReader(path: path, threads: 1))
        #expect(numbers(read) == expected)
        #expect(read.map(\.index) == Array(0..<expected.count))
        #expect(try MediaProbe(path: path).video.gridFrames == expected.count)
    }

    @Test(
        "a variable frame rate is sampled as FFmpeg's fps=25 does",
        arguments: ["mkv", "mp4", "webm"])
    func variableRate(container: String) throws {
        let codec = container == "webm" ? "libvpx-vp9 -deadline realtime -cpu-used 8" : "libx264"
        // Pauses of many lengths, some longer than ten grid frames, some shorter than one.
        let path = try folder.make(
            "variable." + container,
            Counter.input(frames: 60)
                + ["-vf", "setpts='(N*0.031+if(gt(N,20),0.9,0)+0.02*mod(N*7,5))/TB'"]
                + words("-fps_mode vfr -c:v \(codec) -g 10"))
        let expected = try Counter.numbersByFFmpeg(path)
        let read = try readAll(VideoReader(path: path, threads: 1))
        #expect(expected.count > 60)
        #expect(numbers(read).prefix(expected.count - 1) == expected.prefix(expected.count - 1))
        #expect(abs(read.count - expected.count) <= 1)
        #expect(try MediaProbe(path: path).video.gridFrames == read.count)
        let repeats = zip(read, read.dropFirst()).allSatisfy { before, after in
            after.isRepeat == (after.frame === before.frame)
        }
        #expect(repeats)
        #expect(read.contains { $0.isRepeat })
    }

    @Test("grid time 0 is the first picture, wherever the container's own time begins")
    func startsAtTheFirstPicture() throws {
        let path = try folder.make(
            "late.ts",
            ["-itsoffset", "5.4"] + Counter.input(frames: 30)
                + words("-c:v libx264 -preset ultrafast -f mpegts"))
        let reader = try VideoReader(path: path)
        #expect(numbers(try readAll(reader)) == Array(0..<30))
        #expect(reader.clock.startSeconds > 5.3)
    }

    @Test("a video of one picture has one grid frame", arguments: ["25", "60", "5"])
    func onePicture(rate: String) throws {
        let path = try folder.make(
            "one.mp4", Counter.input(frames: 1, rate: rate) + words("-c:v libx264"))
        let count = try readAll(VideoReader(path: path)).count
        #expect(count == (rate == "5" ? 5 : 1))
        #expect(try MediaProbe(path: path).video.gridFrames == count)
    }

    @Test("an mp4 cut without re-encoding starts at the first picture that is shown")
    func editList() throws {
        let whole = try folder.make(
            "whole.mp4", Counter.input(frames: 100) + words("-c:v libx264 -g 50 -bf 3"))
        let cut = try folder.make("cut.mp4", words("-ss 1.2 -i \(whole) -c copy"))
        let expected = try Counter.numbersByFFmpeg(cut)
        #expect(expected.first == 30)
        let read = try readAll(VideoReader(path: cut))
        #expect(numbers(read) == expected)
        let probe = try MediaProbe(path: cut)
        #expect(probe.video.gridFrames == expected.count)
        let part = try readAll(
            VideoReader(path: cut, clock: probe.video.clock, range: 33..<44))
        #expect(numbers(part) == Array(expected[33..<44]))
    }

    @Test("what a file says of itself is read")
    func probe() throws {
        let path = try folder.make(
            "probe.mkv",
            Counter.input(frames: 50) + words("-f lavfi -i sine=r=44100:d=3 -ac 2")
                + words("-c:v libx264 -c:a libopus"))
        let probe = try MediaProbe(path: path)
        #expect(probe.container.contains("matroska"))
        #expect(probe.video.codec == "h264" && probe.audio?.codec == "opus")
        #expect(probe.video.width == Counter.width && probe.video.height == Counter.height)
        #expect(probe.video.framesPerSecond == 25 && probe.video.gridFrames == 50)
        #expect(probe.audio?.sampleRate == 48000 && probe.audio?.channels == 2)
        #expect(abs(probe.duration - 3) < 0.1 && abs(probe.lastPacketEnd - 3) < 0.1)
        #expect(probe.video.clock.isRegular)
        let coded = try JSONEncoder().encode(probe)
        #expect(try JSONDecoder().decode(MediaProbe.self, from: coded) == probe)
    }
}

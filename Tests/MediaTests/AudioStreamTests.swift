import Foundation
import Media
import Testing

/// An `AudioStream` gives, piece by piece, what `AudioReader` gives at once.
@Suite struct AudioStreamTests {
    let folder: MediaFolder

    init() throws { folder = try MediaFolder() }

    /// Reads to the end in pieces of changing sizes.
    func readAll(_ stream: AudioStream, pieces: [Int] = [1, 639, 16_001, 7, 50_000]) throws
        -> [Float]
    {
        var samples: [Float] = []
        for number in 0... {
            let piece = try stream.next(pieces[number % pieces.count])
            if piece.isEmpty { break }
            samples += piece
        }
        return samples
    }

    func expectEqual(_ path: String, start: Double = 0, seconds: ClosedRange<Double>) throws {
        let samples = try readAll(AudioStream(path: path, start: start))
        #expect(seconds.contains(Double(samples.count) / 16_000), "\(samples.count) samples")
        // Nothing is missing at the end: behind it there is silence.
        let whole = try AudioReader.read(path: path, start: start, count: samples.count + 500)
        #expect(Array(whole.prefix(samples.count)) == samples)
        #expect(whole.suffix(500).allSatisfy { $0 == 0 })
    }

    @Test(
        "containers, codecs and rates",
        arguments: [
            ("s.wav", 16000, 1, "-c:a pcm_s16le"), ("s.flac", 44100, 2, "-c:a flac"),
            ("s.mp4", 44100, 2, "-c:a aac"), ("s.mkv", 48000, 1, "-c:a libopus"),
            ("s.mp3", 22050, 1, "-c:a libmp3lame"),
        ])
    func equalsReader(name: String, rate: Int, channels: Int, codec: String) throws {
        let path = try folder.make(
            name,
            words("-f lavfi -i anoisesrc=r=\(rate):seed=3:d=3.3:a=0.4 -ac \(channels) \(codec)"))
        try expectEqual(path, seconds: 3.29...3.45)
    }

    @Test("a film's sound begins where its pictures do")
    func film() throws {
        let path = try folder.make(
            "film.mp4",
            Counter.input(frames: 75)
                + words("-f lavfi -i anoisesrc=r=48000:seed=1:d=3 -c:v libx264 -c:a aac -ac 2"))
        try expectEqual(path, seconds: 2.99...3.1)
        try expectEqual(path, start: 0.36, seconds: 2.63...2.74)
        try expectEqual(path, start: -0.5, seconds: 3.49...3.6)
    }

    @Test("time 0 is the first sample unless another is asked for")
    func firstSample() throws {
        let path = try folder.make(
            "late.mkv",
            words("-f lavfi -i sine=f=500:r=16000:d=1 -af asetpts=PTS+2/TB -c:a pcm_s16le"))
        #expect(try AudioStream(path: path, start: 0).sampleCount == 48_000)
        let samples = try readAll(AudioStream(path: path))
        #expect(samples.count == 16_000)
        #expect(abs(Tone(samples[...], from: 0, frequency: 500).phase) < 0.02)
    }

    @Test("gaps are silence, however long")
    func gaps() throws {
        let path = try folder.make(
            "gap.mkv",
            words("-f lavfi -i sine=f=500:r=16000:d=4 -c:a pcm_s16le")
                + ["-af", "aselect='not(between(t,1,2))',asetpts='PTS+gte(T,1)*1000/TB'"])
        try expectEqual(path, seconds: 1003.9...1004.1)
    }

    /// As pictures are: both were recorded one after the other.
    @Test("recordings joined end to end are heard one after the other")
    func joined() throws {
        let first = try folder.make(
            "first.ts", words("-f lavfi -i anoisesrc=r=48000:seed=1:d=4 -c:a mp2"))
        let second = try folder.make(
            "second.ts", words("-f lavfi -i anoisesrc=r=48000:seed=2:d=3 -c:a mp2"))
        let path = try folder.write("both.ts", folder.bytes(first) + folder.bytes(second))
        // Transport streams begin at 1.4 s.
        try expectEqual(path, seconds: 8.3...8.5)
        let samples = try readAll(AudioStream(path: path))
        var begin = 0
        for part in [first, second] {
            let alone = try readAll(AudioStream(path: part))
            let found = Array(samples[(begin + 8000)..<(begin + 40_000)])
            #expect(meanDifference(Array(alone[8000..<40_000]), found) < 1e-3)
            begin += alone.count
        }
    }

    @Test("opposite channels are found in the whole recording before the first sample is given")
    func opposite() throws {
        let wave = "0.4*sin(2*PI*300*t)"
        let quiet = "if(lt(t,1),0.01,0.4)*sin(2*PI*300*t)"
        for (name, sound) in [
            ("same.wav", "\(wave)|\(wave)"), ("opposite.wav", "\(quiet)|-(\(quiet))*0.98"),
            ("right.wav", "-(\(quiet))*0.98|\(quiet)"),
        ] {
            let source = sound.replacingOccurrences(of: ",", with: "\\,")
            let path = try folder.make(
                name, ["-f", "lavfi", "-i", "aevalsrc=\(source):s=16000:d=3"])
            try expectEqual(path, seconds: 3...3)
            let samples = try readAll(AudioStream(path: path))
            #expect(Tone(samples[16_000...], from: 0, frequency: 300).amplitude > 0.39)
        }
    }

    @Test("mean and variance are those of what is given")
    func statistics() throws {
        let path = try folder.make(
            "noise.flac",
            words("-f lavfi -i aevalsrc=0.2+0.1*random(0)|0.2:s=22050:d=2.5 -c:a flac"))
        let stream = try AudioStream(path: path)
        let samples = try readAll(stream).map(Double.init)
        #expect(stream.sampleCount == samples.count)
        let mean = samples.reduce(0, +) / Double(samples.count)
        let squares = samples.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        #expect(abs(stream.mean - mean) < 1e-6)
        #expect(abs(stream.variance / (squares / Double(samples.count)) - 1) < 1e-4)
    }

    @Test("a member of an archive is read in its place")
    func member() throws {
        let path = try folder.make(
            "s.flac", words("-f lavfi -i anoisesrc=r=16000:seed=5:d=2 -c:a flac"))
        let bytes = try folder.bytes(path)
        let archive = try folder.write(
            "a.tar", [UInt8](repeating: 7, count: 512) + bytes + [UInt8](repeating: 9, count: 512))
        let samples = try readAll(
            AudioStream(path: archive, bytes: 512..<(512 + bytes.count)))
        #expect(samples.count == 32_000)
        #expect(samples == (try AudioReader.read(path: path, start: 0, count: 32_000)))
    }

    @Test("an hour takes no more memory than a minute")
    func memory() throws {
        let path = try folder.make(
            "hour.flac", words("-f lavfi -i sine=f=300:r=16000:d=3600 -ac 2 -c:a flac"))
        let before = residentBytes()
        let stream = try AudioStream(path: path)
        var highest = residentBytes()
        var count = 0
        while case let piece = try stream.next(16_000), !piece.isEmpty {
            count += piece.count
            if count % 1_600_000 == 0 { highest = max(highest, residentBytes()) }
        }
        #expect(count == 3600 * 16_000)
        // The samples of an hour would be 230 MB.
        #expect(highest - before < 30_000_000, "\((highest - before) / 1_000_000) MB more")
    }

    @Test("what cannot be read says why")
    func errors() throws {
        let mute = try folder.make("mute.mp4", Counter.input(frames: 5) + words("-c:v libx264"))
        #expect(errorCode { _ = try AudioStream(path: mute) } == .noAudio)
        let late = try folder.make(
            "late.mkv",
            words("-f lavfi -i sine=r=16000:d=1 -af asetpts=PTS+20/TB -c:a pcm_s16le"))
        var limits = MediaLimits()
        limits.maximumDuration = 30
        #expect(try AudioStream(path: late, start: 0, limits: limits).sampleCount == 21 * 16_000)
        limits.maximumDuration = 21.5
        #expect(
            errorCode { _ = try AudioStream(path: late, start: -1, limits: limits) } == .tooLarge)
    }
}

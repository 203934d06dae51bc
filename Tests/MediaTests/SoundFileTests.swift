import Errors
import Foundation
import Media
import Testing

/// WAV, FLAC and AIFF, which libsndfile reads, against what FFmpeg makes of the same sound.
@Suite struct SoundFileTests {
    private let folder: MediaFolder

    init() throws { folder = try MediaFolder() }

    private func make(
        _ name: String, rate: Int = 16_000, channels: Int = 1, seconds: Double = 1.5,
        _ options: String = ""
    ) throws -> String {
        let noise = "anoisesrc=r=\(rate):seed=4:d=\(seconds):a=0.6"
        return try folder.make(
            name, ["-f", "lavfi", "-i", noise] + words("-ac \(channels) \(options)"))
    }

    private func samples(_ path: String, _ bytes: Range<Int>? = nil) throws -> [Float] {
        let stream = try AudioStream(path: path, bytes: bytes)
        return try stream.next(stream.sampleCount)
    }

    private func samplesByFFmpeg(_ path: String) throws -> [Float] {
        let bytes = try ffmpeg(words("-i \(path) -f f32le -c:a pcm_f32le -"))
        return bytes.withUnsafeBytes { bytes in
            (0..<(bytes.count / 4)).map {
                bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self)
            }
        }
    }

    @Test(
        "the samples are FFmpeg's, bit for bit",
        arguments: [
            ("a.wav", "-c:a pcm_s16le"), ("b.wav", "-c:a pcm_u8"), ("c.wav", "-c:a pcm_s24le"),
            ("d.wav", "-c:a pcm_s32le"), ("e.wav", "-c:a pcm_f32le"), ("f.wav", "-c:a pcm_f64le"),
            ("g.wav", "-c:a pcm_s16le -rf64 always"), ("h.aiff", "-c:a pcm_s16be"),
            ("i.aiff", "-c:a pcm_s24be"), ("j.flac", "-c:a flac"),
            ("k.flac", "-c:a flac -sample_fmt s32"),
            // These only FFmpeg can read.
            ("l.wav", "-c:a adpcm_ima_wav"), ("m.wav", "-c:a libmp3lame"),
        ])
    func equalsFFmpeg(name: String, options: String) throws {
        let path = try make(name, options)
        #expect(try samples(path) == samplesByFFmpeg(path))
    }

    @Test(
        "other rates and two channels become 16 kHz and one as those of a container do",
        arguments: [(44_100, 2), (48_000, 1), (8_000, 2), (22_050, 1)])
    func resampled(rate: Int, channels: Int) throws {
        let film = try make("a.mov", rate: rate, channels: channels, "-c:a pcm_s16le")
        let wanted = try samples(film)
        for name in ["a.wav", "a.flac", "a.aiff"] {
            let path = try folder.make(name, words("-i \(film) -sample_fmt s16"))
            #expect(try samples(path) == wanted, "\(name)")
            let whole = try AudioReader.read(path: path, start: 0, count: wanted.count)
            #expect(whole == wanted)
        }
    }

    @Test("a span of a file is the slice of the whole", arguments: ["a.wav", "a.flac", "a.aiff"])
    func spans(name: String) throws {
        let path = try make(name, seconds: 4)
        let whole = try samples(path)
        for start in [0, 16_000, 17_601, 40_000, 63_000] {
            let part = try AudioReader.read(
                path: path, start: Double(start) / 16_000, count: 4000)
            let wanted = Array(whole[start...].prefix(4000))
            #expect(part == wanted + [Float](repeating: 0, count: 4000 - wanted.count))
        }
        #expect(try AudioReader.read(path: path, start: 90, count: 640).allSatisfy { $0 == 0 })
    }

    @Test("a member of an archive is read in its place", arguments: ["a.wav", "a.flac"])
    func members(name: String) throws {
        let path = try make(name)
        let bytes = try folder.bytes(path)
        let junk = [UInt8](repeating: 0x52, count: 512)
        let archive = try folder.write("a.tar", junk + bytes + bytes + junk)
        for start in [512, 512 + bytes.count] {
            #expect(try samples(archive, start..<(start + bytes.count)) == samples(path))
        }
    }

    /// As a 64-bit header may say: to skip what it holds leads beyond the last number.
    @Test func aLengthThatNoFileHasIsNoCrash() throws {
        func number<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
            withUnsafeBytes(of: value.littleEndian) { Array($0) }
        }
        let sizes = number(UInt64(200)) + number(UInt64(Int64.max)) + number(UInt64(Int64.max / 2))
        let format =
            number(UInt16(1)) + number(UInt16(1)) + number(UInt32(16_000))
            + number(UInt32(32_000)) + number(UInt16(2)) + number(UInt16(16))
        let bytes =
            Array("RF64".utf8) + number(UInt32.max) + Array("WAVEds64".utf8)
            + number(UInt32(28)) + sizes + number(UInt32(0)) + Array("fmt ".utf8)
            + number(UInt32(16)) + format + Array("data".utf8) + number(UInt32.max)
            + [UInt8](repeating: 1, count: 64)
        let path = try folder.write("long.wav", bytes)
        // What is there may be read, or the file refused.
        #expect(((try? samples(path)) ?? []).count <= 32)
    }

    @Test("files of unknown length are read to their end")
    func piped() throws {
        let path = try make("a.wav", "-c:a pcm_s16le")
        for kind in ["wav", "flac"] {
            // Written to a pipe, a header cannot be completed.
            let bytes = try ffmpeg(words("-i \(path) -f \(kind) -"))
            #expect(try samples(folder.write("piped." + kind, bytes)) == samples(path))
        }
    }

    @Test("speech in the centre of 5.1 is kept")
    func surround() throws {
        for name in ["a.wav", "a.flac"] {
            let path = try folder.make(
                name,
                words("-f lavfi -i aevalsrc=0|0|0.3*sin(2*PI*300*t)|0|0|0:c=5.1:s=16000:d=1"))
            #expect(try samples(path).contains { abs($0) > 0.08 })
        }
    }

    @Test("a damaged FLAC says so, and how far it can be heard")
    func damaged() throws {
        let path = try make("a.flac", seconds: 5)
        var bytes = try folder.bytes(path)
        for index in (bytes.count / 2)..<(bytes.count / 2 + 300) { bytes[index] ^= 0x5a }
        let damaged = try folder.write("damaged.flac", bytes)
        #expect(errorCode { _ = try AudioStream(path: damaged) } == .undecodable)
        #expect(errorCode { _ = try AudioReader.sampleCount(path: damaged) } == .undecodable)
        let cut = try folder.write("cut.flac", bytes.prefix(bytes.count / 3))
        #expect(errorCode { _ = try AudioStream(path: cut) } == .undecodable)
        do {
            _ = try AudioStream(path: damaged)
        } catch {
            #expect("\(error)".hasPrefix(damaged) && "\(error)".contains("after 2 s"), "\(error)")
        }
    }

    @Test("a WAV that is cut off gives what is left")
    func cut() throws {
        let path = try make("a.wav", "-c:a pcm_s16le")
        let bytes = try folder.bytes(path)
        let cut = try folder.write("cut.wav", bytes.prefix(bytes.count / 2))
        let (left, whole) = (try samples(cut), try samples(path))
        #expect(left.count > 10_000 && left == Array(whole.prefix(left.count)))
    }

    @Test("what has no sound is refused or silent, and never a trap")
    func empty() throws {
        let flac = try folder.bytes(try make("a.flac")), wave = try folder.bytes(try make("a.wav"))
        for (name, bytes) in [
            ("empty.wav", []), ("headless.wav", Array("RIFF____WAVE".utf8)),
            ("head.wav", Array(wave.prefix(78))), ("head.flac", Array(flac.prefix(60))),
            ("magic.flac", Array("fLaC".utf8)), ("form.aiff", Array("FORM____AIFF".utf8)),
            ("zeros.wav", Array(wave.prefix(44)) + [UInt8](repeating: 0, count: 999)),
        ] as [(String, [UInt8])] {
            let path = try folder.write(name, bytes)
            do {
                let stream = try AudioStream(path: path)
                #expect(try stream.next(9).allSatisfy { $0 == 0 }, "\(name)")
            } catch let error as LoopyError {
                #expect("\(error)".hasPrefix(path), "\(error)")
            }
        }
        #expect(errorCode { _ = try AudioStream(path: folder.file("none.wav")) } == .unreadable)
    }

    @Test("a file that states more than the limit is refused before it is read")
    func limits() throws {
        var limits = MediaLimits()
        limits.maximumDuration = 1
        let path = try make("a.flac")
        #expect(errorCode { _ = try AudioStream(path: path, limits: limits) } == .tooLarge)
    }

    @Test("the shortest sounds are encoded", arguments: [1, 15, 640])
    func shortest(count: Int) throws {
        let samples = [Float](repeating: 0.25, count: count)
        let path = try folder.write("a.flac", try FLAC.encode(samples))
        #expect(try AudioReader.read(path: path, start: 0, count: count) == samples)
    }
}

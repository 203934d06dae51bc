import Foundation
import Media
import Testing

@Suite struct AudioTests {
    let folder: MediaFolder

    init() throws { folder = try MediaFolder() }

    func make(_ name: String, sound: String, _ options: String = "") throws -> String {
        try folder.make(name, ["-f", "lavfi", "-i", sound] + words(options))
    }

    /// Writes 16-bit or float samples as a WAV file of any number of channels.
    func makeWave(_ samples: [Float], channels: Int, rate: Int) throws -> String {
        let raw = try folder.write("samples.raw", samples.withUnsafeBytes { Array($0) })
        return try folder.make(
            "samples.wav", words("-f f32le -ar \(rate) -ac \(channels) -i \(raw) -c:a pcm_f32le"))
    }

    @Test(
        "resampling keeps frequency and loudness",
        arguments: [8000, 11025, 22050, 32000, 44100, 48000, 96000])
    func resampling(rate: Int) throws {
        let path = try make("tone.mov", sound: "sine=f=440:r=\(rate):d=2", "-c:a pcm_s16le")
        let samples = try AudioReader.read(path: path, start: 0, count: 32000)
        #expect(samples.count == 32000)
        let tone = Tone(samples[4000..<28000], from: 4000, frequency: 440)
        #expect(abs(tone.amplitude - 0.125) < 0.002)
        #expect(tone.residual < 0.002)
        // The tone begins as a sine, at the file's first sample.
        #expect(abs(tone.phase) < 0.02)
    }

    @Test("a span is the slice of the whole", arguments: [16000, 22050, 44100, 48000])
    func spanEqualsSlice(rate: Int) throws {
        for (name, codec) in [("noise.mov", "pcm_s16le"), ("noise.wav", "pcm_s24le")] {
            let path = try make(
                name, sound: "anoisesrc=r=\(rate):seed=1:d=5:a=0.5", "-c:a \(codec)")
            let whole = try AudioReader.read(path: path, start: 0, count: 80000)
            for index in [1, 26, 37, 76, 101, 118] {
                let part = try AudioReader.read(
                    path: path, start: Double(index) / 25, count: 2560)
                let wanted = whole[(index * 640)...].prefix(2560)
                let largest = zip(part, wanted).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
                #expect(largest < 1e-3, "frame \(index) of \(name)")
            }
        }
    }

    @Test("there is silence before the beginning, after the end and in gaps")
    func silence() throws {
        let path = try make(
            "gap.mkv", sound: "sine=f=500:r=16000:d=4",
            "-af aselect='not(between(t,1,2))' -c:a pcm_s16le")
        let samples = try AudioReader.read(path: path, start: -1, count: 16000 * 7)
        #expect(samples.count == 16000 * 7)
        func level(_ from: Double, _ to: Double) -> Float {
            samples[Int((from + 1) * 16000)..<Int((to + 1) * 16000)].map(abs).max() ?? 0
        }
        #expect(level(-1, -0.01) == 0 && level(4.1, 6) == 0 && level(1.1, 1.9) == 0)
        #expect(level(0, 0.9) > 0.1 && level(2.1, 2.9) > 0.1 && level(3, 3.9) > 0.1)
        // Behind the gap the sound is in its place: whole periods of 500 Hz have passed.
        let tone = Tone(samples[(16000 * 4)..<(16000 * 4 + 8000)], from: 0, frequency: 500)
        #expect(abs(tone.phase) < 0.6)
        #expect(try AudioReader.read(path: path, start: 50, count: 640).allSatisfy { $0 == 0 })
        #expect(try AudioReader.read(path: path, start: 0, count: 0).isEmpty)
    }

    @Test("stereo is averaged, and opposite channels do not cancel")
    func stereo() throws {
        let wave = "0.4*sin(2*PI*300*t)"
        let both = try make("both.wav", sound: "aevalsrc=\(wave)|\(wave):s=16000:d=1")
        let left = try make("left.wav", sound: "aevalsrc=\(wave)|0:s=16000:d=1")
        let opposite = try make("opposite.wav", sound: "aevalsrc=\(wave)|-\(wave):s=16000:d=1")
        for (path, amplitude) in [(both, 0.4), (left, 0.2), (opposite, 0.4)] {
            let samples = try AudioReader.read(path: path, start: 0, count: 16000)
            let tone = Tone(samples[...], from: 0, frequency: 300)
            #expect(abs(tone.amplitude - amplitude) < 0.005)
        }
    }

    @Test("speech in the centre of 5.1 is kept")
    func surround() throws {
        let path = try make(
            "surround.mkv", sound: "aevalsrc=0|0|0.3*sin(2*PI*300*t)|0|0|0:c=5.1:s=48000:d=1",
            "-c:a flac")
        let samples = try AudioReader.read(path: path, start: 0, count: 16000)
        // FFmpeg's share of the centre, where all channels together are no louder than one.
        #expect(abs(Tone(samples[...], from: 0, frequency: 300).amplitude - 0.3 / 3.414) < 0.003)
    }

    @Test("loud channels are not louder together")
    func loudSurround() throws {
        let wave = "0.9*sin(2*PI*300*t)"
        let path = try make(
            "loud.mkv",
            sound: "aevalsrc=\(wave)|\(wave)|\(wave)|0|\(wave)|\(wave):c=5.1:s=48000:d=1",
            "-c:a flac")
        let samples = try AudioReader.read(path: path, start: 0, count: 16000)
        #expect(abs(Tone(samples[...], from: 0, frequency: 300).amplitude - 0.9) < 0.01)
        #expect(samples.allSatisfy { abs($0) <= 1 })
    }

    @Test("channels that no layout names count the same")
    func unknownLayout() throws {
        let samples = (0..<16000).flatMap { index in
            [Float](repeating: 0.5 * sin(2 * .pi * 300 * Float(index) / 16000), count: 12)
        }
        let path = try makeWave(samples, channels: 12, rate: 16000)
        let read = try AudioReader.read(path: path, start: 0, count: 16000)
        #expect(abs(Tone(read[...], from: 0, frequency: 300).amplitude - 0.5) < 0.01)
    }

    @Test("values that are no numbers become silence")
    func notNumbers() throws {
        var samples = [Float](repeating: 0.25, count: 16000)
        (samples[5000], samples[6000], samples[7000]) = (.nan, .infinity, -.infinity)
        let path = try makeWave(samples, channels: 1, rate: 16000)
        let read = try AudioReader.read(path: path, start: 0, count: 16000)
        #expect(read.allSatisfy { $0.isFinite })
        #expect(read.filter { abs($0 - 0.25) < 0.01 }.count > 15000)
        _ = try FLAC.encode(samples)
    }

    @Test("of several tracks the default one is read")
    func severalTracks() throws {
        for (chosen, frequency) in [(0, 300.0), (1, 700.0)] {
            let path = try folder.make(
                "tracks.mkv",
                Counter.input(frames: 25)
                    + words("-f lavfi -i sine=f=300:d=1 -f lavfi -i sine=f=700:d=1")
                    + words("-map 0 -map 1 -map 2 -c:v libx264 -c:a flac")
                    + words("-disposition:a 0 -disposition:a:\(chosen) default"))
            let samples = try AudioReader.read(path: path, start: 0, count: 16000)
            #expect(Tone(samples[...], from: 0, frequency: frequency).amplitude > 0.1)
            #expect(try MediaProbe(path: path).audio?.codec == "flac")
        }
    }

    @Test("a film without sound says so")
    func noAudio() throws {
        let path = try folder.make("mute.mp4", Counter.input(frames: 5) + words("-c:v libx264"))
        #expect(errorCode { _ = try AudioReader.read(path: path, start: 0, count: 9) } == .noAudio)
        #expect(try MediaProbe(path: path).audio == nil)
    }

    @Test("FLAC holds the samples to the last of 16 bits", arguments: [1, 640, 4607, 40001])
    func flac(count: Int) throws {
        let samples = (0..<count).map { index in
            Float(Int16(truncatingIfNeeded: index &* 7919)) / 32768
        }
        let bytes = try FLAC.encode(samples)
        #expect(bytes == (try FLAC.encode(samples)))
        let path = try folder.write("sound.flac", bytes)
        #expect(try AudioReader.sampleCount(path: path) == count)
        let decoded = try ffmpeg(words("-i \(path) -f s16le -"))
        let wanted = samples.flatMap { value in
            withUnsafeBytes(of: Int16(value * 32768).littleEndian) { Array($0) }
        }
        #expect(decoded == wanted)
        #expect(try AudioReader.read(path: path, start: 0, count: count) == samples)
        let stated = try run(
            words("ffprobe -v error -show_entries stream=sample_rate,channels -of csv=p=0 \(path)"))
        #expect(String(decoding: stated, as: UTF8.self).hasPrefix("16000,1"))
    }
}

/// How much of one frequency there is in a sound, and how much of anything else.
struct Tone {
    let amplitude: Double
    let phase: Double
    /// Root of the mean square of what the tone leaves.
    let residual: Double

    /// - Parameter from: the time of the first sample, in samples of 16 kHz.
    init(_ samples: ArraySlice<Float>, from: Int, frequency: Double) {
        let step = 2 * Double.pi * frequency / 16000
        var (sine, cosine) = (0.0, 0.0)
        for (index, value) in samples.enumerated() {
            sine += Double(value) * sin(step * Double(from + index))
            cosine += Double(value) * cos(step * Double(from + index))
        }
        let (a, b) = (2 * sine / Double(samples.count), 2 * cosine / Double(samples.count))
        amplitude = (a * a + b * b).squareRoot()
        phase = atan2(b, a)
        var squares = 0.0
        for (index, value) in samples.enumerated() {
            let angle = step * Double(from + index)
            let rest = Double(value) - a * sin(angle) - b * cos(angle)
            squares += rest * rest
        }
        residual = (squares / Double(samples.count)).squareRoot()
    }
}

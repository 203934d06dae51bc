import Features
import Foundation
import Generation
import Media
import Speech
import Storage
import TestSupport
import Testing
import Torch

/// What a model hears when it generates is what it heard when it was trained: the same sound, in the same
/// frame, whatever the length of the recording.
@Suite struct HeardTests {
    private static let frames = 40

    /// Soft noise, and a click in the middle of a frame, as numbers of 16 bits.
    private static func sound(missing: Int, click frame: Int) -> [Float] {
        var numbers = FixedNumbers(5)
        var samples = (0..<(640 * frames)).map { _ in
            Float(Int.random(in: -300...300, using: &numbers)) / 32768
        }
        for index in 0..<80 { samples[640 * frame + 280 + index] += index % 4 < 2 ? 0.75 : -0.75 }
        return Array(samples.dropLast(missing))
    }

    private static let encoders = [
        ("log-mel", SpeechSettings.Encoder.logMel, Wav2Vec2Encoder.Alignment.beforeEncoder),
        ("before", .wav2vec2, .beforeEncoder), ("after", .wav2vec2, .afterEncoder),
    ].map { name, encoder, alignment in
        var settings = SpeechSettings()
        settings.encoder = encoder
        settings.alignment = alignment
        settings.weights = Place.network
        settings.dtype = .float32
        return (name: name, settings: settings)
    }

    /// Speech windows of every frame, as the sampler hears a recording: `[T', 5, L, S]`, T' whole clips.
    private func generated(_ samples: [Float], _ settings: SpeechSettings) throws -> Tensor {
        try withFolder { folder in
            let path = folder + "/speech.flac"
            try OutputFile.write(FLAC.encode(samples), to: path)
            var clips: [Tensor] = []
            let audio = try SpokenAudio(path)
            #expect(audio.frames == Self.frames)
            try audio.clips(of: 12, by: settings.makeEncoder().encoder) { clips.append($0) }
            return concatenated(clips, along: 0)
        }
    }

    @Test(arguments: [0, 1, 240, 319, 320, 321, 639])
    func theSamplerHearsWhatTrainingHears(missing: Int) throws {
        try withFolder { folder in
            let sound = Self.sound(missing: missing, click: 33)
            try OutputFile.write(FLAC.encode(sound), to: folder + "/sound.flac")
            let made = try run(
                "ffmpeg", "-v", "error", "-f", "lavfi", "-i",
                "testsrc=s=64x64:r=25:d=\(Double(Self.frames) / 25)", "-i", folder + "/sound.flac",
                "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a",
                "pcm_s16le", folder + "/source.mkv")
            try #require(made.status == 0)
            for (name, settings) in Self.encoders {
                let clip = try OneClip(
                    folder + "/" + name, source: folder + "/source.mkv", frames: Self.frames,
                    crop: CropSquare(x: 0, y: 0, side: 64))
                try clip.crop(side: 32)
                try clip.extract(SpeechColumn.self, settings)
                try clip.write("latents", Self.frames, [4, 2, 2])
                try clip.write("keypoints", Self.frames, [68, 3], facts: ["side": 32])
                try clip.write("motion", Self.frames - 11, [2])
                let heard = try generated(sound, settings)
                let windows = try clip.windows(60)
                #expect(windows.contains { $0.start == 0 })
                #expect(windows.contains { $0.start == Self.frames - 12 })
                for window in windows {
                    #expect(
                        window.speech.isEqual(to: heard[window.start..<(window.start + 12)]),
                        "\(name), the window at frame \(window.start)")
                }
            }
        }
    }

    /// Each encoder answers to the click in its frame: the middle of five rows is the frame's own. In the
    /// other recording the click is long before, so that the two are equally loud.
    @Test(arguments: [0, 1, 319, 320, 639], [30, 38])
    func aClickIsHeardInItsFrame(missing: Int, frame: Int) throws {
        for (name, settings) in Self.encoders {
            func heard(click: Int) throws -> Tensor {
                let sound = Self.sound(missing: missing, click: click)
                return try generated(sound, settings)[20..<Self.frames, 2, 0]
            }
            let answer = try (heard(click: frame) - heard(click: 5)).norm([1])
            #expect(20 + Int(answer.argmax(0).scalar) == frame, "\(name)")
        }
    }
}

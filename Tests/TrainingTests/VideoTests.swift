import Errors
import Foundation
import Media
import Storage
import Synchronization
import Testing
import Torch
import Training

/// Shards that hold videos and no latents.
@Suite struct VideoTests {
    private static let sample = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent(".deps/samples/single_face.mp4").path
    private static let frames = 50

    private static let clip = Result<[UInt8], any Error> {
        let reader = try VideoReader(path: sample, range: 0..<frames, threads: 1)
        var encoding = VideoEncoding()
        (encoding.size, encoding.preset) = (64, "ultrafast")
        let encoder = ClipEncoder(crop: CropSquare(x: 140, y: 40, side: 320), encoding: encoding)
        while let next = try reader.next() { try encoder.add(next.frame) }
        return try encoder.finish()
    }

    /// Pictures in squares of 32 pixels, each its mean.
    private static let encoder: FrameEncoder = { path, bytes, frames in
        let reader = try VideoReader(path: path, bytes: bytes, range: frames, threads: 1)
        let converter = RGBConverter()
        var latents: [Tensor] = []
        while let picture = try reader.next() {
            let (height, width) = (picture.frame.height, picture.frame.width)
            let pixels = Tensor.empty([height, width, 3], type: .uint8)
            try pixels.withMutableElements(of: UInt8.self) {
                try converter.convert(picture.frame, into: $0)
            }
            let values = pixels.permuted(2, 0, 1).to(.float32) / 127.5 - 1.0
            latents.append(values.reshaped(3, height / 32, 32, width / 32, 32).mean([2, 4]))
        }
        return stacked(latents, along: 0)
    }

    private func clip(_ change: (inout TestClip) -> Void = { _ in }) throws -> TestClip {
        var clip = TestClip("a", frames: Self.frames)
        clip.names = ["mp4", "keypoints.npy", "motion.npy", "speech.npy", "json"]
        clip.changes["mp4"] = try Self.clip.get()
        change(&clip)
        return clip
    }

    /// Windows are those that the column `latents` would have given, whatever frames are asked for.
    @Test func latentsAreMadeFromPictures() throws {
        try withFolder { folder in
            let shards = try makeShards(folder + "/video", side: nil, [[clip()]])
            let member = try TarReader(shards[0]).member("a.mp4")
            let latents = try Self.encoder(shards[0], member.bytes, 0..<Self.frames)
            #expect(latents.shape == [Self.frames, 3, 2, 2])
            var stored = try clip()
            stored.names = ["mp4", "keypoints.npy", "motion.npy", "speech.npy", "latents.npy"]
            stored.changes["latents.npy"] =
                NumPyArray(shape: latents.shape, values: latents.array()).encoded(as: .float16)
            var settings = WindowSettings()
            (settings.motionFrames, settings.shuffle) = (9, 4)
            // The side of the video, 64 pixels, where nothing else says it.
            let expected = try WindowStream(
                shards: makeShards(folder + "/latents", side: 64, [[stored]]), settings: settings)
            let stream = try WindowStream(
                shards: shards, settings: settings, encoder: Self.encoder)
            for _ in 0..<12 {
                var window = try stream.next()
                window.shard = expected.shards[0]
                #expect(Contents(window) == Contents(try expected.next()))
            }
            let state = stream.state
            let next = Contents(try stream.next())
            let other = try WindowStream(
                shards: shards, settings: settings, encoder: Self.encoder, restoring: state)
            #expect(Contents(try other.next()) == next)
        }
    }

    @Test func onlyWhatIsNeededIsDecoded() throws {
        try withFolder { folder in
            var clip = try clip()
            clip.names = ["mp4"]
            var settings = WindowSettings.singleFrames
            settings.windowsPerClip = 1
            final class Frames: Sendable { let all = Mutex<[Range<Int>]>([]) }
            let asked = Frames()
            let stream = try WindowStream(
                shards: makeShards(folder, side: nil, [[clip]]), settings: settings,
                encoder: { path, bytes, frames in
                    asked.all.withLock { $0.append(frames) }
                    return try Self.encoder(path, bytes, frames)
                })
            let window = try stream.next()
            let frames = asked.all.withLock { $0.flatMap { Array($0) } }
            // No facts tell the video's length here: its pictures were counted.
            #expect((1...2).contains(frames.count))
            #expect(frames.contains(window.start))
        }
    }

    @Test func aVideoIsShorterThanItsFactsSay() throws {
        try withFolder { folder in
            let clip = try clip { $0.changes["json"] = Array(#"{"frames": 500}"#.utf8) }
            var settings = WindowSettings.singleFrames
            settings.windowsPerClip = 40
            let shards = try makeShards(folder, [[clip]])
            let stream = try WindowStream(
                shards: shards, settings: settings,
                encoder: { _, _, frames in
                    .zeros([frames.clamped(to: 0..<Self.frames).count, 1, 1, 1])
                })
            let error = #expect(throws: LoopyError.self) { try stream.next() }
            #expect(error?.message.hasPrefix("\(shards[0]), clip a: a.mp4: frames ") == true)
            #expect(error?.message.contains("shorter than its facts say") == true)
        }
    }

    @Test func thereIsNeitherLatentsNorVideo() throws {
        try withFolder { folder in
            var clip = TestClip("a", frames: 30)
            clip.names.removeAll { $0 == "latents.npy" }
            let shards = try makeShards(folder, [[clip]])
            let stream = try WindowStream(
                shards: shards, settings: WindowSettings(), encoder: Self.encoder)
            let error = #expect(throws: LoopyError.self) { try stream.next() }
            #expect(
                error?.message
                    == "\(shards[0]), clip a: has no member a.latents.npy, nor a.mp4 to make it from; "
                    + "run loopy-extract latents and loopy-pack")
        }
    }
}

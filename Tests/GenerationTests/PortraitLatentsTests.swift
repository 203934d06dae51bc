import Curation
import Dataset
import Features
import Foundation
import Generation
import LoopyModel
import Media
import Runs
import Storage
import TestSupport
import Testing
import Torch
import Training

/// A portrait is coded as the pictures are that a model was trained on.
@Suite struct PortraitLatentsTests {
    private static let sample = Place.package + "/.deps/samples/single_face.mp4"
    private static let square = CropSquare(x: 140, y: 40, side: 320)
    private static let frames = 40
    private static let compact = Place.package + "/Models/small/codec.safetensors"
    private static let autoencoder = Place.package + "/Tests/DiffusionTests/Fixtures/vae"

    private struct Made {
        let model: PortraitModel
        /// The column: `[T, C, h, w]`.
        let column: Tensor
        /// The clip's video.
        let clip: String
    }

    /// A dataset with latents, and a model that has seen them.
    private func make(_ folder: String, _ latents: LatentsSettings) throws -> Made {
        let clip = try OneClip(
            folder, source: Self.sample, frames: Self.frames, crop: Self.square)
        try clip.crop(side: 128)
        try clip.extract(LatentsColumn.self, latents)
        try clip.extract(SpeechColumn.self, SpeechSettings())
        try clip.write("keypoints", Self.frames, [68, 3], facts: ["side": 128])
        try clip.write("motion", Self.frames - 11, [2])
        _ = try clip.windows(1)

        let stored = try clip.member("latents")
        let array = try NumPyArray(decoding: stored, name: "latents")
        let column = Tensor(array.values, shape: array.shape)
        let video = folder + "/clip.mp4"
        try OutputFile.write(clip.member("video"), to: video)

        var settings = TrainingSettings()
        settings.model = .tiny
        settings.model.latentChannels = column.length(1)
        settings.model.channels = [8, 16]
        settings.model.attention = [true, true]
        settings.model.normGroups = 4
        settings.steps = 1
        settings.precision = .float32
        settings.validation.windows = 0
        let run = RunDirectory(folder + "/run")
        let trainer = try Trainer(settings, TrainingSource(folder), run, resuming: false)
        try trainer.step()
        return Made(
            model: try PortraitModel(TrainedModel(run), GenerationSettings()), column: column,
            clip: video)
    }

    private func portrait(
        _ path: String, _ square: CropSquare, _ model: PortraitModel
    ) throws -> Tensor {
        model.encode(
            try CroppedPortrait(
                path, .square(square), GenerationSettings(), clipSide: model.clipSide,
                side: model.side))
    }

    private func distance(_ x: Tensor, _ expected: Tensor) -> Double {
        (x - expected).norm().scalar / expected.norm().scalar
    }

    @Test(arguments: LatentsSettings.Codec.allCases)
    func aPortraitHasTheLatentsOfTheSamePictureInTheColumn(codec: LatentsSettings.Codec) throws {
        try withFolder { folder in
            var settings = LatentsSettings()
            settings.codec = codec
            settings.side = 64
            settings.channels = 12
            if codec == .autoencoder { settings.weights = Self.autoencoder }
            if codec == .compactAutoencoder { settings.weights = Self.compact }
            let made = try make(folder, settings)
            #expect(made.model.side == 64 && made.model.clipSide == 128)
            let first = made.column[0..<1]
            // The clip's own first picture, up to the rounding of the column's float16.
            let whole = CropSquare(x: 0, y: 0, side: 128)
            #expect(distance(try portrait(made.clip, whole, made.model), first) < 1e-3)
            // The picture that the clip was cut from, which H.264 has changed a little.
            let source = try portrait(Self.sample, Self.square, made.model)
            #expect(distance(source, first) < 0.1)
            // Another part of it is another picture.
            let beside = CropSquare(x: Self.square.x + 16, y: Self.square.y, side: 320)
            #expect(distance(try portrait(Self.sample, beside, made.model), first) > 0.3)
            // Noise has variance 1, and the schedule counts on it.
            guard codec == .patchPCA else { return }
            for latents in [made.column, source] {
                #expect((0.7...1.4).contains((latents - latents.mean()).square().mean().scalar))
                #expect(abs(latents.mean().scalar) < 0.3)
            }
        }
    }
}

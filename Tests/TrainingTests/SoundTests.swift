import Diffusion
import Foundation
import LoopyModel
import Runs
import Speech
import Storage
import TestSupport
import Testing
import Torch
import Training

/// A model that was trained on one talking head has learned what its sound is for.
@Suite struct SoundTests {
    private static let frames = 96

    /// A signal that wanders, of mean 0 and variance 1: three frames later it is much the same (their
    /// correlation is 0.84), and after fifteen it is another one.
    private static func signal(_ seed: UInt64) -> [Float] {
        var numbers = FixedNumbers(seed)
        let noise = (0...(frames + 40)).map { _ in Double.random(in: -1...1, using: &numbers) }
        let smooth = (0..<frames).map { frame in
            (0...40).reduce(0.0) { sum, index in
                let distance = Double(index - 20) / 5
                return sum + noise[frame + index] * exp(-distance * distance)
            }
        }
        let mean = smooth.reduce(0, +) / Double(frames)
        let variance = smooth.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(frames)
        return smooth.map { Float(($0 - mean) / variance.squareRoot()) }
    }

    /// Sound whose loudness is the signal: `[T, 1, 4]`.
    private static func speech(_ signal: [Float]) -> NumPyArray {
        NumPyArray(
            shape: [signal.count, 1, 4],
            values: signal.flatMap { value in [value, -value, value > 0 ? 1 : 0, abs(value)] })
    }

    /// A head that does not move, and whose lower half is a mouth that opens with the signal:
    /// `[T, 4, 8, 8]`.
    private static func latents(_ signal: [Float]) -> NumPyArray {
        var numbers = FixedNumbers(3)
        let picture = (0..<(4 * 8 * 8)).map { _ in Float.random(in: -1.7...1.7, using: &numbers) }
        let values = signal.flatMap { value in
            picture.enumerated().map { index, pixel in index % 64 < 32 ? pixel : value * pixel }
        }
        return NumPyArray(shape: [signal.count, 4, 8, 8], values: values)
    }

    private static func writeShard(_ folder: String) throws {
        let signal = signal(1)
        let file = try OutputFile(folder + "/shards/train-00000.tar")
        let writer = TarWriter(file)
        func zeros(_ shape: [Int]) -> [UInt8] {
            NumPyArray(shape: shape, values: Array(repeating: 0, count: shape.reduce(1, *)))
                .encoded()
        }
        try writer.add("clip.latents.npy", latents(signal).encoded())
        try writer.add("clip.speech.npy", speech(signal).encoded())
        try writer.add("clip.keypoints.npy", zeros([frames, 68, 3]))
        try writer.add("clip.motion.npy", zeros([frames - 11, 2]))
        try writer.finish()
        try file.commit()
        try writeCatalogue(folder, side: 200)
    }

    private static var settings: TrainingSettings {
        var settings = TrainingSettings()
        settings.preset = "tiny"
        settings.model = .tiny
        settings.model.latentChannels = 4
        settings.model.channels = [8, 16]
        settings.model.attention = [true, true]
        settings.model.normGroups = 4
        settings.model.speechLayers = 1
        settings.model.speechChannels = 4
        settings.model.audioWidth = 16
        settings.model.motionLatents.width = 16
        settings.model.motionLatents.heads = 2
        // The last timestep shows nothing but noise: what is predicted there comes from conditions.
        settings.schedule.predictionType = .vPrediction
        settings.schedule.rescaleBetasZeroSnr = true
        settings.steps = 200
        settings.precision = .float32
        settings.gradientCheckpointing = false
        settings.emaDecay = 0
        settings.optimiser.learningRate = 3e-3
        settings.optimiser.warmupSteps = 20
        settings.data.shuffle = 32
        settings.data.windowsPerClip = 32
        settings.checkpoints.every = 10_000
        settings.validation.windows = 0
        return settings
    }

    @Test func otherSoundMakesTheLossWorse() throws {
        try withFolder { folder in
            try Self.writeShard(folder)
            let settings = Self.settings
            let trainer = try Trainer(
                settings, TrainingSource(folder + "/shards"), RunDirectory(folder + "/run"),
                resuming: false)
            var losses: [Double] = []
            let started = ContinuousClock.now
            while !trainer.isFinished { losses.append(try trainer.step()) }
            try trainer.save()
            print(
                "trained", (ContinuousClock.now - started) / .seconds(1),
                stride(from: 0, to: losses.count - 20, by: 20).map {
                    losses[$0..<($0 + 20)].reduce(0, +) / 20
                })
            let model = try TrainedModel(RunDirectory(folder + "/run")).load(on: .cpu)

            // Windows of the clip, their own sound or another one in their ears.
            let stream = try WindowStream(
                shards: WindowStream.shards(in: folder + "/shards", split: "train"),
                settings: {
                    var windows = WindowSettings()
                    windows.windowsPerClip = 48
                    return windows
                }())
            // Not at the clip's ends, so that there is sound before and after.
            let windows = try (0..<48).map { _ in try stream.next() }
                .filter { (3...(Self.frames - 15)).contains($0.start) }.prefix(12)
            func tensor(_ signal: [Float]) -> Tensor {
                let array = Self.speech(signal)
                return SpeechWindows.windows(Tensor(array.values, shape: array.shape))
            }
            let own = tensor(Self.signal(1)), other = tensor(Self.signal(2))
            let schedule = try NoiseSchedule(settings.schedule)
            func loss(_ sound: (Int) -> Tensor) throws -> Double {
                var sum = 0.0
                for (number, window) in windows.enumerated() {
                    var batch = try TrainingBatch(
                        [window], first: number, settings: settings, device: .cpu)
                    batch.conditions.masks = [ConditionMask()]
                    batch.conditions.motionSources = [.audio]
                    batch.conditions.speech = sound(window.start).unsqueezed(0)
                    for timestep in [999, 850] {
                        sum += withoutGradient {
                            model.loss(
                                batch.latents, noise: batch.noise, timesteps: [timestep],
                                batch.conditions, schedule
                            ).scalar
                        }
                    }
                }
                return sum / Double(2 * windows.count)
            }
            func at(_ start: Int) -> Range<Int> { start..<(start + 12) }
            let truth = try loss { own[at($0)] }
            let shifted = try [-3, 3].map { shift in
                try loss { own[at($0 + shift)] }
            }
            let muted = try loss { own[at($0)] * 0 }
            let swapped = try loss { other[at($0)] }
            print(
                "truth", truth, "shifted", shifted, "muted", muted, "swapped", swapped,
                (ContinuousClock.now - started) / .seconds(1))
            #expect(swapped > muted)
            for loss in shifted {
                #expect(muted > loss)
                #expect(loss > truth)
            }
        }
    }
}

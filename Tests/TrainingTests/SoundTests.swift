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
    /// `[T, 4, 4, 4]`.
    private static func latents(_ signal: [Float]) -> NumPyArray {
        var numbers = FixedNumbers(3)
        let picture = (0..<(4 * 4 * 4)).map { _ in Float.random(in: -1.7...1.7, using: &numbers) }
        let values = signal.flatMap { value in
            picture.enumerated().map { index, pixel in index % 16 < 8 ? pixel : value * pixel }
        }
        return NumPyArray(shape: [signal.count, 4, 4, 4], values: values)
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
        settings.model.channels = [16]
        settings.model.attention = [true]
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

    /// Sound from three frames before or after is nearly right; no sound leaves the mouth in its mean
    /// position; the sound of something else moves it wrongly.
    @Test func otherSoundMakesTheLossWorse() throws {
        try withFolder { folder in
            try Self.writeShard(folder)
            let settings = Self.settings
            let run = RunDirectory(folder + "/run")
            let trainer = try Trainer(
                settings, TrainingSource(folder + "/shards"), run, resuming: false)
            while !trainer.isFinished { try trainer.step() }
            let model = try TrainedModel(run).load(on: .cpu)

            var drawn = WindowSettings()
            drawn.windowsPerClip = 48
            let stream = try WindowStream(
                shards: WindowStream.shards(in: folder + "/shards", split: "train"),
                settings: drawn)
            // Not at the clip's ends, so that there is sound before and after.
            let windows = try (0..<48).map { _ in try stream.next() }
                .filter { (3...(Self.frames - 15)).contains($0.start) }.prefix(12)
            #expect(windows.count == 12)

            func windowed(_ signal: [Float]) -> Tensor {
                let array = Self.speech(signal)
                return SpeechWindows.windows(Tensor(array.values, shape: array.shape))
            }
            let own = windowed(Self.signal(1)), other = windowed(Self.signal(2))
            let schedule = try NoiseSchedule(settings.schedule)
            /// The mean loss where there is much noise, with another sound in a window's ears.
            func loss(_ sound: (Range<Int>) -> Tensor) throws -> Double {
                var losses: [Double] = []
                for (number, window) in windows.enumerated() {
                    var batch = try TrainingBatch(
                        [window], first: number, settings: settings, device: .cpu)
                    batch.conditions.masks = [ConditionMask()]
                    batch.conditions.motionSources = [.audio]
                    batch.conditions.speech =
                        sound(window.start..<(window.start + 12)).unsqueezed(0)
                    losses += [999, 850].map { timestep in
                        withoutGradient {
                            model.loss(
                                batch.latents, noise: batch.noise, timesteps: [timestep],
                                batch.conditions, schedule
                            ).scalar
                        }
                    }
                }
                return losses.reduce(0, +) / Double(losses.count)
            }
            let right = try loss { own[$0] }
            let late = try loss { own[($0.lowerBound - 3)..<($0.upperBound - 3)] }
            let early = try loss { own[($0.lowerBound + 3)..<($0.upperBound + 3)] }
            let muted = try loss { own[$0] * 0 }
            let swapped = try loss { other[$0] }
            #expect(swapped > 1.1 * muted, "\(swapped) \(muted)")
            for shifted in [late, early] {
                #expect(muted > 1.1 * shifted, "\(muted) \(shifted)")
                #expect(shifted > 1.1 * right, "\(shifted) \(right)")
            }
        }
    }
}

import Torch
import Weights

/// Fits a compact autoencoder on pictures: all of it, or, where one is given to begin with, its decoder.
/// The latents then stay what they are, so that models that know them can still be used, and the
/// pictures become those of the person at hand.
///
///     let fitting = try CompactAutoencoderFitting(channels: 8, steps: 2000, seed: 0)
///     for step in 0..<2000 { fitting.step(pictures[step]) }
///     try fitting.write { … }
///
/// The loss is the mean of absolute and of squared differences of pixels, and of absolute differences of
/// their gradients, which keeps edges. The decoder sees latents with noise of a deviation that is
/// drawn for each picture.
///
/// Where all of it is fitted, the encoder rests in the last part of the steps: until then pictures are varied, and
/// latents are normalised by their own batch, while whoever encodes with the file has pictures as they are, and the
/// file's statistics. The decoder is fitted to what it will see.
public final class CompactAutoencoderFitting {
    private let store: ParameterStore
    private let codec: CompactAutoencoder
    private let optimiser: AdamW
    private let trained: [(name: String, tensor: Tensor)]
    private let generator: Generator
    private let steps: Int
    /// The steps, from the first, in which the encoder is fitted too.
    private let stepsOfEncoder: Int
    private var stepsDone = 0

    /// The greatest learning rate, and the number of steps over which it grows.
    private static let learningRate = 2e-3, warmup = 50
    /// The greatest deviation of the noise.
    private static let noise = 0.4
    /// The share of a batch in the running statistics of the latents.
    private static let momentum = 0.02
    /// The share of the steps in which the encoder is fitted too.
    private static let shareOfEncoder = 0.6

    private var fitsEncoder: Bool { stepsDone < stepsOfEncoder }

    /// - Parameters:
    ///   - file: the autoencoder whose decoder is fitted; nil to begin with drawn weights.
    ///   - channels: the channels of the latents, where there is no file.
    ///   - steps: the number of steps that will be taken.
    /// - Throws: `LoopyError` for a file of something else.
    public init(
        continuing file: Checkpoint? = nil, channels: Int, steps: Int, seed: UInt64
    ) throws {
        generator = try Generator(seed: seed)
        store = ParameterStore(drawing: generator)
        let channels = try file.map { try CompactAutoencoder($0).channels } ?? channels
        codec = CompactAutoencoder(store.root, channels: channels)
        if let file { try store.assign(file) }
        self.steps = steps
        stepsOfEncoder = file == nil ? Int((Self.shareOfEncoder * Double(steps)).rounded(.up)) : 0
        let parts = stepsOfEncoder > 0 ? ["encoder.", "decoder."] : ["decoder."]
        func isTrained(_ name: String) -> Bool { parts.contains { name.hasPrefix($0) } }
        store.requireGradients(where: isTrained)
        trained = store.parameters.filter { isTrained($0.name) }
        var settings = AdamW.Settings()
        settings.beta2 = 0.99
        settings.weightDecay = 0
        optimiser = AdamW(trained, settings: settings)
    }

    /// Takes a step, and returns its loss.
    ///
    /// - Parameter images: `[B, 3, H, W]`, -1 to 1; H and W are multiples of 8.
    @discardableResult
    public func step(_ images: Tensor) -> Double {
        let images = fitsEncoder ? varied(images) : images
        let latents = latents(of: images)
        let deviations = Tensor.uniform([images.length(0), 1, 1, 1], generator: generator)
        let noise = Tensor.normal(latents.shape, generator: generator) * deviations * Self.noise
        let loss = Self.loss(codec.decoder(latents + noise), images)
        loss.backward()
        clipGradientNorm(trained, maxNorm: 1)
        optimiser.step(learningRate: learningRate)
        optimiser.zeroGradients()
        stepsDone += 1
        return loss.scalar
    }

    /// That of the next step: each part of the steps begins anew.
    private var learningRate: Double {
        let first = fitsEncoder ? 0 : stepsOfEncoder, end = fitsEncoder ? stepsOfEncoder : steps
        return LearningRateSchedule.cosine.learningRate(
            at: stepsDone - first, greatest: Self.learningRate, warmup: Self.warmup,
            steps: end - first)
    }

    /// Pictures of other light and colours, half of them mirrored: an encoder serves faces that it has
    /// not seen.
    private func varied(_ images: Tensor) -> Tensor {
        let count = images.length(0)
        func drawn(_ lower: Double, _ upper: Double) -> Tensor {
            Tensor.uniform([count, 3, 1, 1], generator: generator) * (upper - lower) + lower
        }
        let changed = (images * drawn(0.6, 1.3) + drawn(-0.3, 0.3)).clamped(-1, 1)
        let columns = Tensor.arange(0..<images.length(3)) * -1 + (images.length(3) - 1)
        let mirrored = changed.indexSelect(columns, along: 3)
        let isMirrored = Tensor.uniform([count, 1, 1, 1], generator: generator) < 0.5
        return mirrored.where(isMirrored, else: changed)
    }

    /// Latents of mean 0 and variance 1: by the batch's own statistics while the encoder changes.
    private func latents(of images: Tensor) -> Tensor {
        guard fitsEncoder else { return withoutGradient { codec.encode(images) } }
        let features = codec.encoder(images)
        let mean = features.mean([0, 2, 3])
        let deviation = (features.variance([0, 2, 3]) + 1e-5).sqrt()
        withoutGradient {
            let share = stepsDone == 0 ? 1 : Self.momentum
            codec.mean.assign(codec.mean * (1 - share) + mean * share)
            codec.deviation.assign(codec.deviation * (1 - share) + deviation * share)
        }
        return codec.normalised(features, mean, deviation)
    }

    private static func loss(_ images: Tensor, _ truth: Tensor) -> Tensor {
        let difference = images - truth
        let (height, width) = (images.length(2), images.length(3))
        let down = difference[.all, .all, 1...] - difference[.all, .all, ..<(height - 1)]
        let across =
            difference[.all, .all, .all, 1...] - difference[.all, .all, .all, ..<(width - 1)]
        return difference.abs().mean() + difference.square().mean() + down.abs().mean()
            + across.abs().mean()
    }

    /// What is left of pictures after encoding and decoding, by the codec as it is now, in dB.
    public func psnr(of images: Tensor) -> Double { codec.psnr(of: images) }

    /// Hands the codec's file to the sink piece by piece.
    public func write(to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        try CompactAutoencoder.write(store, to: sink)
    }
}

import Diffusion
import Torch

/// Guidance by several conditions (section 3.4, "Inference"):
///
///     e = audio_ratio (e_audio - e_ref) + reference_ratio (e_ref - e_base) + e_base
///
/// `e_audio` has all conditions, `e_ref` no audio, `e_base` no audio and no reference.
///
/// For `e_base` the paper removes the reference net's features from self-attention and does not mention
/// motion frames. They are dropped with the reference, or kept, as `Readings` has it for training: the
/// state is one that was trained. The sum is in float32, whatever the net computes in.
public struct Guidance: Codable, Sendable, Equatable {
    public var audioRatio = 5.0
    public var referenceRatio = 3.0
    /// The part of the sampling steps that is guided, from 0, the noise, to 1, the picture; the others
    /// ask `e_audio` alone, which is one pass instead of three (Kynkäänniemi et al. 2024). The paper
    /// guides all of them.
    public var first = 0.0
    public var last = 1.0
    /// How much of the contrast that guidance adds is taken back: the guided prediction gets the standard
    /// deviation of `e_audio` in this part, each sample by itself (Lin et al., "Common diffusion noise schedules
    /// and sample steps are flawed", 2024, section 3.4). The paper takes none back.
    public var rescale = 0.0

    public init() {}

    /// - Parameter step: the index of one of `count` steps.
    package func guides(step: Int, of count: Int) -> Bool {
        let time = (Double(step) + 0.5) / Double(count)
        return first <= time && time <= last
    }
}

/// What the guided model predicts for a clip. Its conditions are encoded once, when this is made; a pass
/// that has no weight in the sum does not run at all.
public struct GuidedModel {
    /// Passes that run as one batch, and their weights in the sum.
    private struct Batch {
        let conditions: LoopyNet.EncodedConditions
        let weights: [Double]
    }

    private let model: LoopyNet
    private let guidance: Guidance
    private let all: LoopyNet.EncodedConditions
    private let batches: [Batch]

    /// - Parameter together: whether the two passes that see the reference run as one batch: less time
    ///   where batches are cheap, more memory, the same numbers up to rounding. The third has fewer
    ///   tokens to attend to, and always runs alone.
    public init(
        _ model: LoopyNet, _ conditions: Conditions, _ guidance: Guidance, together: Bool = false
    ) {
        self.model = model
        self.guidance = guidance
        all = model.encode(conditions)
        // The sum above, in terms of the three passes.
        let weights = (
            audio: guidance.audioRatio, reference: guidance.referenceRatio - guidance.audioRatio,
            base: 1 - guidance.referenceRatio
        )
        guard weights.reference != 0 || weights.base != 0 else {
            batches = [Batch(conditions: all, weights: [weights.audio])]
            return
        }
        let silent = model.silenced(all, conditions)
        var batches = [
            Batch(conditions: all, weights: [weights.audio]),
            Batch(conditions: silent, weights: [weights.reference]),
        ]
        // What is rescaled needs the first pass whatever its weight.
        if guidance.rescale == 0 { batches.removeAll { $0.weights == [0] } }
        if together, batches.count == 2 {
            batches = [
                Batch(conditions: all.with(silent), weights: [weights.audio, weights.reference])
            ]
        }
        if weights.base != 0 {
            let bare = silent.withoutReference(model.configuration.readings.droppedReference)
            batches.append(Batch(conditions: bare, weights: [weights.base]))
        }
        self.batches = batches
    }

    /// - Parameters:
    ///   - latents: noisy, `[B, F, C, h, w]`.
    ///   - isGuided: otherwise this is `e_audio`.
    public func callAsFunction(
        _ latents: Tensor, timestep: Int, isGuided: Bool = true
    ) -> Tensor {
        self(latents, timestep: timestep, isGuided: isGuided, deep: nil)
    }

    private func callAsFunction(
        _ latents: Tensor, timestep: Int, isGuided: Bool, deep: [DeepFeatures]?
    ) -> Tensor {
        let samples = latents.length(0)
        return self(
            latents, timesteps: Array(repeating: timestep, count: samples),
            isGuided: Array(repeating: isGuided, count: samples), deep: deep)
    }

    /// The same for samples at timesteps of their own, of which some are guided.
    ///
    /// - Parameters:
    ///   - latents: noisy, `[B, F, C, h, w]`.
    ///   - timesteps: a timestep for each sample.
    ///   - isGuided: a truth value for each sample; where it is false, this is `e_audio`.
    ///   - deep: the deep layers' features, of each batch of passes and of `e_audio` alone.
    func callAsFunction(
        _ latents: Tensor, timesteps: [Int], isGuided: [Bool], deep: [DeepFeatures]? = nil
    ) -> Tensor {
        func predict(
            _ conditions: LoopyNet.EncodedConditions, copies: Int, deep: DeepFeatures?
        ) -> Tensor {
            let inputs = concatenated(Array(repeating: latents, count: copies), along: 0)
            let steps = Array(repeating: timesteps.map(Int64.init), count: copies).flatMap { $0 }
            // A copy to a GPU would wait for all that was asked of it.
            let same = Set(steps).count == 1 ? steps.first : nil
            let device = latents.device
            let known = same.map {
                Tensor.full([steps.count], Double($0), type: .int64, device: device)
            }
            return model.predict(
                inputs, known ?? Tensor(steps, device: device), conditions, deep: deep)
        }
        func predictAll() -> Tensor { predict(all, copies: 1, deep: deep?[batches.count]) }
        guard isGuided.contains(true) else { return predictAll() }
        let predictions = batches.enumerated().flatMap { index, batch in
            predict(batch.conditions, copies: batch.weights.count, deep: deep?[index])
                .chunks(batch.weights.count, along: 0)
        }
        let parts = zip(predictions, batches.flatMap(\.weights)).map { $0 * $1 }
        var guided = parts.dropFirst().reduce(parts[0], +)
        if guidance.rescale > 0 { guided = rescaled(guided, as: predictions[0]) }
        guard isGuided.contains(false) else { return guided }
        let isChosen = Tensor(
            isGuided, shape: [isGuided.count, 1, 1, 1, 1], device: latents.device)
        return guided.where(isChosen, else: predictAll())
    }

    /// The guided prediction with the contrast, in part, of that by all conditions.
    private func rescaled(_ guided: Tensor, as prediction: Tensor) -> Tensor {
        func deviation(_ x: Tensor) -> Tensor {
            x.variance([1, 2, 3, 4], correction: 1, keepDim: true).sqrt()
        }
        let factor = deviation(prediction) / deviation(guided)
        return guided * (factor * guidance.rescale + (1 - guidance.rescale))
    }

    /// A clip's latents (section 3.4, "Inference"), from noise.
    ///
    /// - Parameters:
    ///   - noise: `[B, F, C, h, w]`.
    ///   - generator: draws the noise on the way, where the solver wants some.
    ///   - cacheInterval: the steps for which deep layers run once (`DeepFeatures`): 1 is exact.
    public func sample(
        _ noise: Tensor, _ solver: Solver, generator: Generator, cacheInterval: Int = 1
    ) -> Tensor {
        let deep = cacheInterval > 1 ? (0...batches.count).map { _ in DeepFeatures() } : nil
        var path = solver.begin(noise)
        while let timestep = path.timestep {
            if path.index.isMultiple(of: cacheInterval) {
                for features in deep ?? [] { features.forget() }
            }
            let isGuided = guidance.guides(step: path.index, of: solver.timesteps.count)
            let prediction = self(
                path.latents, timestep: timestep, isGuided: isGuided, deep: deep)
            let fresh =
                solver.eta > 0
                ? Tensor.normal(noise.shape, generator: generator).to(noise.device) : nil
            path.step(prediction: prediction, noise: fresh)
        }
        return path.latents
    }
}

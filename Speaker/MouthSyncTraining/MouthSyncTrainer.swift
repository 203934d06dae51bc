import Errors
import Foundation
import Media
import Perception
import Runs
import Storage
import Torch
import Weights

/// Trains the network of `MouthSync`.
///
/// A piece of a clip must be recognised at lag 0 of 31, and beside the sound of another clip as
/// unrelated: one cross-entropy over 32 answers, so that the answers are probabilities.
public final class MouthSyncTrainer {
    public struct Options: Sendable {
        public var steps = 3000
        public var learningRate = 1e-3
        /// The share of pieces that are of synthetic mouths.
        public var syntheticShare = 0.7
        public var seed = 0

        public init() {}
    }

    private let options: Options
    private let batches: BatchSource
    private let store: ParameterStore
    private let network: MouthSyncNetwork
    private let optimiser: AdamW
    private let average: MovingAverage
    private let warmup = 50

    /// - Parameters:
    ///   - synthetic, real: clips; one of them may be empty.
    public init(synthetic: [SyncClip], real: [SyncClip], _ options: Options) throws {
        guard !synthetic.isEmpty || !real.isEmpty else {
            throw LoopyError(.configuration, "there is no clip to train on")
        }
        self.options = options
        batches = BatchSource(synthetic: synthetic, real: real, options: options)
        store = ParameterStore(drawing: try Generator(seed: UInt64(options.seed)))
        network = MouthSyncNetwork(store.root)
        store.requireGradients()
        optimiser = AdamW(store.parameters)
        average = MovingAverage(store.parameters, decay: 0.998)
    }

    /// - Parameter onStep: called after each step with its number, from 1, and the loss.
    public func train(onStep: (_ step: Int, _ loss: Double) throws -> Void) throws {
        let prefetcher = batches.prefetched(options.steps)
        for step in 0..<options.steps {
            guard let batch = try prefetcher.next() else { break }
            let loss = loss(batch)
            loss.backward()
            clipGradientNorm(store.parameters, maxNorm: 1)
            optimiser.step(
                learningRate: LearningRateSchedule.cosine.learningRate(
                    at: step, greatest: options.learningRate, warmup: warmup, steps: options.steps))
            for (_, tensor) in store.parameters { tensor.gradient = nil }
            average.update()
            try onStep(step + 1, loss.scalar)
        }
    }

    /// The averaged network.
    public func withAverage<Result>(_ body: (MouthSyncNetwork) throws -> Result) rethrows -> Result
    {
        try average.withAverages { try withoutGradient { try body(network) } }
    }

    /// Writes the averaged weights.
    public func write(to path: String, metadata: [String: String]) throws {
        let file = try OutputFile(path)
        try SafeTensors.write(tensors: average.averages, metadata: metadata) { try file.write($0) }
        try file.commit()
    }

    private func loss(_ batch: Batch) -> Tensor {
        let own = network.evidence(
            lips: batch.lips, spectra: batch.spectra, seen: batch.seen, heard: batch.heard)
        // the sound of the clips after the next one, too: two mixed pairs for each true one
        let mixed = (1...2).map { distance -> Tensor in
            func others(_ x: Tensor) -> Tensor {
                concatenated([x[distance...], x[0..<distance]], along: 0)
            }
            let found = network.evidence(
                lips: batch.lips, spectra: others(batch.spectra), seen: batch.seen,
                heard: others(batch.heard))
            return crossEntropy(network.logits(sum: found.sum, count: found.count), unrelated)
        }
        return crossEntropy(network.logits(sum: own.sum, count: own.count), inStep)
            + (mixed[0] + mixed[1]) / 2
    }

    /// What lag 0 shares with its neighbours: nobody knows it better than within half a frame.
    private let inStep: Tensor = {
        var answer = [Float](repeating: 0, count: MouthSyncNetwork.lags + 1)
        answer[MouthSyncNetwork.reach] = 0.7
        answer[MouthSyncNetwork.reach - 1] = 0.15
        answer[MouthSyncNetwork.reach + 1] = 0.15
        return Tensor(answer)
    }()

    private let unrelated = Tensor(
        [Float](repeating: 0, count: MouthSyncNetwork.lags) + [1])
}

/// The mean over the rows of `-Σ target log softmax(logits)`.
///
/// - Parameters:
///   - logits: `[B, N]`.
///   - target: `[N]`, summing to 1.
private func crossEntropy(_ logits: Tensor, _ target: Tensor) -> Tensor {
    -(logits.logSoftmax(1) * target).sum([1]).mean()
}

private struct Batch {
    let lips: Tensor, spectra: Tensor, seen: Tensor, heard: Tensor
}

/// Draws batches: which ones, the seed and the step decide.
private struct BatchSource: Sendable {
    let synthetic: [SyncClip], real: [SyncClip]
    let options: MouthSyncTrainer.Options
    /// The lengths of pieces, of which a batch has one, in frames; and the frames of a batch.
    private static let lengths = [25, 40, 60, 90, 125], batchFrames = 1920

    /// The batches of all steps, made on another thread.
    func prefetched(_ steps: Int) -> Prefetcher<Batch> {
        var step = 0
        return Prefetcher(depth: 4) {
            guard step < steps else { return nil }
            defer { step += 1 }
            return batch(step)
        }
    }

    private func batch(_ step: Int) -> Batch {
        var numbers = SeededNumbers("mouth-sync", "\(options.seed)", "\(step)")
        let frames = Self.lengths[numbers.below(Self.lengths.count)]
        let inputs = (0..<max(8, Self.batchFrames / frames)).map { _ in
            let isSynthetic =
                real.isEmpty || !synthetic.isEmpty && numbers.unit() < options.syntheticShare
            let pool = isSynthetic ? synthetic : real
            let clip = pool[numbers.below(pool.count)]
            var piece = SyncAugmentation.piece(of: clip, frames: frames, &numbers)
            SyncAugmentation.change(&piece, &numbers)
            return piece.input
        }
        return Batch(
            lips: stacked(inputs.map(\.lips), along: 0),
            spectra: stacked(inputs.map(\.spectra), along: 0),
            seen: stacked(inputs.map(\.seen), along: 0),
            heard: stacked(inputs.map(\.heard), along: 0))
    }
}

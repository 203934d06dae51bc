import Errors
import Torch

/// Gives the features of all layers of wav2vec 2.0 for every video frame (Loopy, section 3.3: the hidden states
/// of all layers are the audio embedding).
///
/// The samples are normalised once, over the whole recording. The convolutions are computed in blocks,
/// which changes nothing. Only the transformer sees a long recording in chunks: each with context on
/// both sides, and neighbours fade into each other over a second. Chunks see less far than the whole
/// recording at once; docs/speech.md says how much that changes.
public final class Wav2Vec2Encoder: SpeechEncoder {
    /// When features go from the encoder's steps of 20 ms to video frames of 40 ms.
    public enum Alignment: String, Codable, Sendable, CaseIterable {
        /// The convolutions' output is interpolated; the transformer sees 25 a second (as in the open
        /// successors of EMO).
        case beforeEncoder
        /// Each hidden state is interpolated; the transformer has seen 50 a second.
        case afterEncoder
    }

    /// The lengths into which a recording is cut for the transformer, in seconds.
    public struct Chunks: Sendable {
        /// The length up to which a recording is one chunk.
        public var whole: Double
        /// The length of a chunk.
        public var length: Double
        /// The length that a chunk sees on either side beyond its own.
        public var context: Double

        public init(whole: Double = 60, length: Double = 40, context: Double = 10) {
            self.whole = whole
            self.length = length
            self.context = context
        }
    }

    public let network: Wav2Vec2
    public var leastVariance = 0.0
    public let alignment: Alignment
    private let chunks: Chunks
    private let normalises: Bool
    private let device: Device
    /// Half the number of frames over which chunks fade into each other.
    private static let fade = 12
    /// The number of steps of a block of convolutions: what they hand on then stays in the processor's cache.
    private static let blockSteps = 100

    public var layers: Int { network.configuration.layers }
    public var channels: Int { network.configuration.hiddenSize }

    /// - Parameter normalises: whether the network was trained on samples of mean 0 and variance 1.
    public init(
        _ network: Wav2Vec2, alignment: Alignment, chunks: Chunks = Chunks(),
        normalises: Bool = true, device: Device = .cpu
    ) {
        self.network = network
        self.alignment = alignment
        self.chunks = chunks
        self.normalises = normalises
        self.device = device
    }

    public func encode(_ recording: Recording, _ body: (Tensor) throws -> Void) throws {
        let configuration = network.configuration
        let statistics = try WaveStatistics(
            of: recording, kernel: configuration.kernels[0], stride: configuration.strides[0],
            normalises: normalises, leastVariance: leastVariance)
        let steps = configuration.steps(samples: statistics.count)
        guard steps > 0 else {
            throw LoopyError(
                .unsuitable,
                "is too short: \(statistics.count) samples at 16 kHz, and wav2vec2 needs "
                    + "\(configuration.receptiveField)")
        }
        let frames = Recording.frames(samples: statistics.count)

        let aligned = FrameAlignment(steps: steps, frames: frames)
        var latents = LatentWindow(
            network.featureEncoder, configuration, statistics, try recording.window(), device)
        var fading: Tensor?
        for chunk in plan(frames) {
            let features = try withoutGradient {
                try encode(chunk, aligned, &latents)
            }
            let start = chunk.frames.lowerBound
            let isLast = chunk.frames.upperBound == frames
            // Of the frames that two chunks have computed, each gets a share.
            var ready = features
            if let former = fading {
                let overlap = former.length(0)
                let share = Tensor(
                    (0..<overlap).map { (Float($0) + 0.5) / Float(overlap) },
                    shape: [overlap, 1, 1], device: device)
                let mixed = former * (1 - share) + features[0..<overlap] * share
                ready = concatenated([mixed, features[overlap...]], along: 0)
            }
            let kept = isLast ? ready.length(0) : chunk.nextStart - start
            try body(ready[0..<kept])
            fading = isLast ? nil : ready[kept...]
        }
    }

    /// A stretch that the transformer sees at once.
    struct Chunk: Equatable {
        /// The frames that are used of it; neighbours overlap by those in which they fade.
        var frames: Range<Int>
        /// The frames that the transformer sees.
        var seen: Range<Int>
        /// The first frame that the next chunk computes too.
        var nextStart: Int
    }

    /// Divides frames into chunks of equal length that cover them all.
    func plan(_ frames: Int) -> [Chunk] {
        func count(_ seconds: Double) -> Int {
            max(1, Int((seconds * 25).rounded()))
        }
        guard frames > count(chunks.whole) else {
            return [Chunk(frames: 0..<frames, seen: 0..<frames, nextStart: frames)]
        }
        let pieces = (frames + count(chunks.length) - 1) / count(chunks.length)
        let context = max(count(chunks.context), Self.fade)
        return (0..<pieces).map { piece in
            let start = frames * piece / pieces, end = frames * (piece + 1) / pieces
            return Chunk(
                frames: max(0, start - (piece > 0 ? Self.fade : 0))..<min(frames, end + Self.fade),
                seen: max(0, start - context)..<min(frames, end + context),
                nextStart: end - Self.fade)
        }
    }

    /// - Returns: `[t, L, C]` of the chunk's frames.
    private func encode(
        _ chunk: Chunk, _ aligned: FrameAlignment, _ latents: inout LatentWindow
    ) throws -> Tensor {
        let steps = aligned.steps(of: chunk.seen)
        let seen = try latents.latents(steps)
        switch alignment {
        case .beforeEncoder:
            let perFrame = aligned.interpolate(seen, from: steps.lowerBound, to: chunk.seen)
            let states = network.hiddenStates(perFrame)
            let offset = chunk.seen.lowerBound
            return states[
                (chunk.frames.lowerBound - offset)..<(chunk.frames.upperBound - offset)]
        case .afterEncoder:
            return aligned.interpolate(
                network.hiddenStates(seen), from: steps.lowerBound, to: chunk.frames)
        }
    }

    /// The feature encoder's output for ranges of steps, each computed once.
    private struct LatentWindow {
        private let encoder: FeatureEncoder
        private let configuration: Wav2Vec2Configuration
        private let statistics: WaveStatistics
        private var window: Recording.Window
        private let device: Device
        /// The steps in memory: `[t, 512]` from `start` on.
        private var kept: [Tensor] = []
        private var start = 0, end = 0

        init(
            _ encoder: FeatureEncoder, _ configuration: Wav2Vec2Configuration,
            _ statistics: WaveStatistics, _ window: Recording.Window, _ device: Device
        ) {
            self.encoder = encoder
            self.configuration = configuration
            self.statistics = statistics
            self.window = window
            self.device = device
        }

        /// - Returns: `[t, 512]`.
        mutating func latents(_ steps: Range<Int>) throws -> Tensor {
            while end < steps.upperBound {
                let block = end..<min(steps.upperBound, end + blockSteps)
                let hop = configuration.hop
                let samples = try window.samples(
                    (block.lowerBound * hop)..<((block.upperBound - 1) * hop
                        + configuration.receptiveField))
                let wave = Tensor(
                    statistics.normalised(samples), shape: [samples.count, 1], device: device)
                kept.append(encoder(wave, statistics))
                end = block.upperBound
            }
            let all = concatenated(kept, along: 0)
            let needed = all[(steps.lowerBound - start)...]
            // A copy: a view would keep what is no longer needed in memory.
            kept = [steps.lowerBound > start ? needed.copy() : all]
            start = steps.lowerBound
            return needed[0..<steps.count]
        }
    }
}

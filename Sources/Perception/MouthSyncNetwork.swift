// Lip-sync by Loopy's own network. As SyncNet (Chung and Zisserman, "Out of time", 2016) it embeds
// lips and sound so that those that belong together agree; the lips are a few numbers a picture
// (`LipShape`) instead of pixels, and each frame of either has a weight: where nothing can be told it
// is small.
//
//   B pieces   T frames of 25 a second   C 32   K 31 lags, from -15 to 15 frames

import Torch
import Weights

/// Tells how well sound fits the shapes of lips, at each lag.
public struct MouthSyncNetwork {
    /// The greatest lag that is tried, to either side, in frames.
    public static let reach = 15
    /// The number of lags.
    public static let lags = 2 * reach + 1
    /// The bands of a log-mel spectrum, and the spectra that a frame lasts.
    package static let bands = 80, spectraPerFrame = 4
    private static let width = 64, embedding = 32

    private let lips: LipEncoder
    private let sound: SoundEncoder
    /// The logit of one frame whose embeddings are the same.
    private let scale: Tensor
    /// Evidence grows as the number of frames to the power of `sigmoid(growth)`: neighbouring frames tell
    /// the same.
    private let growth: Tensor
    /// The logit of "lips and sound have nothing to do with each other".
    package let unrelated: Tensor

    /// Builds the network from the scope of its weights.
    package init(_ scope: Scope) {
        lips = LipEncoder(scope["lips"], width: Self.width, outputs: Self.embedding + 1)
        sound = SoundEncoder(
            scope["sound"], bands: Self.bands, width: Self.width, outputs: Self.embedding + 1)
        scale = scope.parameter("scale", [1], .constant(6))
        growth = scope.parameter("growth", [1], .constant(-1))
        unrelated = scope.parameter("unrelated", [1], .constant(0))
    }

    /// - Throws: `LoopyError` when the file does not hold this network.
    package init(path: String) throws {
        self = try ParameterStore.load(Checkpoint(path)) { MouthSyncNetwork($0) }
    }

    /// What each frame of lips says about each lag, summed over the frames.
    ///
    /// - Parameters:
    ///   - lips: `[B, 15, T]`, as `MouthSyncInput` normalises them.
    ///   - spectra: `[B, 80, 4 (T + 30)]`: those of the frames, and of `reach` more on either side.
    ///   - seen: `[B, T]`: 1 for frames that count, else 0.
    ///   - heard: `[B, T + 30]`: 1 for frames whose sound is there, else 0.
    /// - Returns: the sum over the frames, and how many they are, at each lag: `[B, K]` each. At lag k
    ///   the lips of frame t stand beside the sound of frame t + k.
    package func evidence(
        lips: Tensor, spectra: Tensor, seen: Tensor, heard: Tensor
    ) -> (sum: Tensor, count: Tensor) {
        let frames = lips.length(2)
        let lips = weighted(self.lips(lips)) * seen.unsqueezed(1) * scale
        let sound = weighted(self.sound(spectra)) * heard.unsqueezed(1)
        let shifts = (0..<Self.lags).map { $0..<($0 + frames) }
        return (
            stacked(shifts.map { (lips * sound[.all, .all, $0]).sum([1, 2]) }, along: 1),
            stacked(shifts.map { (seen * heard[.all, $0]).sum([1]) }, along: 1)
        )
    }

    /// What one piece says: `[1, K]` each.
    package func evidence(_ piece: MouthSyncInput) -> (sum: Tensor, count: Tensor) {
        evidence(
            lips: piece.lips.unsqueezed(0), spectra: piece.spectra.unsqueezed(0),
            seen: piece.seen.unsqueezed(0), heard: piece.heard.unsqueezed(0))
    }

    /// Embeddings of length 1, times the weight that stands behind each.
    ///
    /// - Parameter x: `[B, C + 1, T]`
    private func weighted(_ x: Tensor) -> Tensor {
        let embeddings = x[.all, 0..<Self.embedding]
        let lengths = (embeddings.square().sum([1], keepDim: true) + 1e-6).sqrt()
        return embeddings / lengths * x[.all, Self.embedding..<(Self.embedding + 1)].sigmoid()
    }

    /// The logits of the lags, and behind them that of "unrelated".
    ///
    /// - Parameters:
    ///   - sum, count: as `evidence` gives them, `[B, K]`; those of pieces of one clip may be added.
    /// - Returns: `[B, K + 1]`
    package func logits(sum: Tensor, count: Tensor) -> Tensor {
        // mean * count^g = sum * count^(g - 1)
        let lags = sum * (count.clamped(1).log() * (growth.sigmoid() - 1)).exp()
        return concatenated([lags, unrelated.reshaped(1, 1).expanded(lags.length(0), 1)], along: 1)
    }
}

/// `[B, 15, T]` to `[B, C + 1, T]`; a frame sees the three before it and the three after it.
private struct LipEncoder {
    private let input: Convolution
    private let layers: [Convolution]
    private let output: Convolution

    init(_ scope: Scope, width: Int, outputs: Int) {
        input = Convolution(scope["input"], LipShape.count, width, size: [1])
        layers = temporalLayers(scope["layers"], width)
        output = Convolution(scope["output"], width, outputs, size: [1])
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        output(layers.reduce(input(x)) { $0 + $1($0).gelu() })
    }
}

/// `[B, 80, 4 T]` to `[B, C + 1, T]`.
private struct SoundEncoder {
    private let input: Convolution
    private let halvings: [Convolution]
    private let layers: [Convolution]
    private let output: Convolution

    init(_ scope: Scope, bands: Int, width: Int, outputs: Int) {
        input = Convolution(scope["input"], bands, width, size: [5], padding: [2])
        halvings = (0..<2).map {
            Convolution(scope["halvings"][$0], width, width, size: [4], stride: [2], padding: [1])
        }
        layers = temporalLayers(scope["layers"], width)
        output = Convolution(scope["output"], width, outputs, size: [1])
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        let frames = halvings.reduce(input(x).gelu()) { $1($0).gelu() }
        return output(layers.reduce(frames) { $0 + $1($0).gelu() })
    }
}

/// Three convolutions over neighbouring frames.
private func temporalLayers(_ scope: Scope, _ width: Int) -> [Convolution] {
    (0..<3).map { Convolution(scope[$0], width, width, size: [3], padding: [1]) }
}

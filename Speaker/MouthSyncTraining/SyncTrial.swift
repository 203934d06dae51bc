import Foundation
import Perception
import Runs
import Torch

/// How well the offsets and the confidence of a network are, on clips whose sound is in step.
public struct SyncTrial: Codable, Sendable {
    /// The pieces of clips that were scored; those without enough speech are not among them.
    public var pieces = 0
    /// The share of pieces whose offset is right within one frame, and within two.
    public var withinOne = 0.0
    public var withinTwo = 0.0
    /// The median of the offsets that are not beyond 4 frames.
    public var median = 0.0
    /// The probability that a true pair has a higher confidence than a pair of lips and other sound.
    public var areaUnderCurve = 0.0
    /// Every piece with its own sound, and with that of other clips.
    public var pairs: [Pair] = []
    public var mixed: [Pair] = []

    public struct Pair: Codable, Sendable {
        /// The clip, and the piece's first frame in it.
        public let clip: String
        public let start: Int
        public let offset: Double
        public let confidence: Double
        public let curve: [Double]

        init(_ clip: String, _ start: Int, _ score: MouthSyncScore, shift: Int = 0) {
            (self.clip, self.start, curve) = (clip, start, score.curve)
            (offset, confidence) = (score.offset + Double(shift), score.confidence)
        }
    }

    /// Scores pieces of clips, each by itself and beside the sound of other clips.
    ///
    /// - Parameters:
    ///   - frames: the length of a piece.
    ///   - shift: the frames by which the sound is made late.
    public init(
        _ network: MouthSyncNetwork, clips: [SyncClip], frames: Int, shift: Int = 0
    ) {
        var found: [(clip: String, piece: SyncPiece)] = []
        for clip in clips {
            let count = max(1, clip.lips.count / frames)
            for index in 0..<count {
                let start = clip.lips.count * index / count
                let end = min(clip.lips.count, start + frames)
                var piece = clip.piece(start..<end)
                if shift != 0 {
                    piece.spectra = clip.piece((start - shift)..<(end - shift)).spectra
                }
                let score = Self.score(network, piece)
                pairs.append(Pair(clip.name, start, score, shift: shift))
                found.append((clip.name, piece))
            }
        }
        pieces = pairs.count
        for (index, pair) in found.enumerated() {
            for distance in [1, 5, 11, 17] {
                let other = found[(index + distance) % found.count]
                guard other.clip != pair.clip else { continue }
                // the shorter one decides
                let frames = min(pair.piece.lips.count, other.piece.lips.count)
                let mixed = SyncPiece(
                    lips: Array(pair.piece.lips.prefix(frames)),
                    spectra: Array(other.piece.spectra.prefix(frames + 2 * MouthSyncNetwork.reach)))
                self.mixed.append(Pair(pair.clip, pairs[index].start, Self.score(network, mixed)))
            }
        }
        let near = pairs.map(\.offset).filter { abs($0) <= 4 }.sorted()
        median = near.isEmpty ? 0 : near[near.count / 2]
        withinOne = share { abs($0.offset.rounded()) <= 1 }
        withinTwo = share { abs($0.offset.rounded()) <= 2 }
        let wins = pairs.reduce(0.0) { sum, pair in
            sum
                + self.mixed.reduce(0.0) {
                    $0
                        + (pair.confidence > $1.confidence
                            ? 1 : pair.confidence == $1.confidence ? 0.5 : 0)
                }
        }
        areaUnderCurve = wins / Double(max(1, pairs.count * self.mixed.count))
    }

    private func share(_ isRight: (Pair) -> Bool) -> Double {
        Double(pairs.count(where: isRight)) / Double(max(1, pairs.count))
    }

    private static func score(_ network: MouthSyncNetwork, _ piece: SyncPiece) -> MouthSyncScore {
        let input = piece.input
        let logits = withoutGradient {
            let found = network.evidence(
                lips: input.lips.unsqueezed(0), spectra: input.spectra.unsqueezed(0),
                seen: input.seen.unsqueezed(0), heard: input.heard.unsqueezed(0))
            return network.logits(sum: found.sum, count: found.count).array(of: Float.self)
        }
        return MouthSyncScore(logits: logits.map(Double.init), seconds: 0)
    }

    public var summary: String {
        func percent(_ value: Double) -> String { String(format: "%.0f %%", value * 100) }
        return "\(pieces) pieces, within one frame \(percent(withinOne)), within two "
            + "\(percent(withinTwo)), median \(String(format: "%.2f", median)), area under curve "
            + String(format: "%.3f", areaUnderCurve)
    }
}

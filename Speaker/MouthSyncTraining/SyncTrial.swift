import Foundation
import Perception
import Runs
import Torch

/// How well the offsets and the confidence of a network are, on clips whose sound is in step.
public struct SyncTrial: Encodable, Sendable {
    /// The pieces of clips that were scored: all of them, whether somebody speaks or not.
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

    public struct Pair: Encodable, Sendable {
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
                let beside = SyncPiece(
                    lips: Array(pair.piece.lips.prefix(frames)),
                    spectra: Array(other.piece.spectra.prefix(frames + 2 * MouthSyncNetwork.reach)))
                mixed.append(Pair(pair.clip, pairs[index].start, Self.score(network, beside)))
            }
        }
        let near = pairs.map(\.offset).filter { abs($0) <= 4 }.sorted()
        median = near.isEmpty ? 0 : near[near.count / 2]
        withinOne = share { abs($0.offset.rounded()) <= 1 }
        withinTwo = share { abs($0.offset.rounded()) <= 2 }
        // Mann and Whitney's count: a tie is half a win.
        var wins = 0.0
        for pair in pairs {
            for other in mixed where pair.confidence >= other.confidence {
                wins += pair.confidence == other.confidence ? 0.5 : 1
            }
        }
        areaUnderCurve = wins / Double(max(1, pairs.count * mixed.count))
    }

    private func share(_ isRight: (Pair) -> Bool) -> Double {
        Double(pairs.count(where: isRight)) / Double(max(1, pairs.count))
    }

    private static func score(_ network: MouthSyncNetwork, _ piece: SyncPiece) -> MouthSyncScore {
        let logits = withoutGradient {
            let found = network.evidence(piece.input)
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

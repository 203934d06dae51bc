import Foundation
import Perception
import Runs
import Torch

/// How well the offsets and the confidence of a network are, on clips whose sound is in step.
public struct SyncTrial: Encodable, Sendable {
    /// The pieces of clips that were scored: those in which somebody speaks for a second.
    public var pieces = 0
    /// The share of pieces whose offset is right within one frame, and within two.
    public var withinOne = 0.0
    public var withinTwo = 0.0
    /// The median of the offsets that are not beyond 4 frames.
    public var median = 0.0
    /// The probability that a true pair has a higher confidence than a pair of lips and other sound.
    public var areaUnderCurve = 0.0
    /// Every piece with its own sound.
    public var pairs: [Pair] = []
    /// Pieces with the sound of other clips; and, one for each of them, with their own, of the same length.
    public var mixed: [Pair] = []
    public var unmixed: [Pair] = []
    /// Pieces whose lips are held still, with their own sound.
    public var still: [Pair] = []

    public struct Pair: Encodable, Sendable {
        /// The clip, and the piece's first frame in it.
        public let clip: String
        public let start: Int
        public let offset: Double
        public let confidence: Double
        public let seconds: Double
        public let curve: [Double]

        init(_ clip: String, _ start: Int, _ score: MouthSyncScore, shift: Int = 0) {
            (self.clip, self.start, curve) = (clip, start, score.curve)
            (offset, confidence) = (score.offset + Double(shift), score.confidence)
            seconds = score.seconds
        }

        /// Whether the offset of a true piece is right within so many frames.
        func isRight(within frames: Double) -> Bool { abs(offset.rounded()) <= frames }
    }

    /// Scores pieces of clips, each by itself and beside the sound of other clips.
    ///
    /// - Parameters:
    ///   - frames: the length of a piece.
    ///   - shift: the frames by which the sound is made late.
    public init(
        _ network: MouthSyncNetwork, clips: [SyncClip], frames: Int, shift: Int = 0
    ) {
        let network = MouthSync(network), reach = MouthSyncNetwork.reach
        func score(_ lips: [LipShape?], beside sound: Sound) -> MouthSyncScore? {
            network.score(lips: lips, isSpeech: sound.isSpeech, lead: reach) { sound.spectra }
                .score
        }
        var found: [(pair: Pair, lips: [LipShape?], sound: Sound)] = []
        for clip in clips {
            let count = max(1, clip.lips.count / frames)
            for index in 0..<count {
                let start = clip.lips.count * index / count
                let end = min(clip.lips.count, start + frames)
                let lips = clip.piece(start..<end).lips
                let sound = Sound(clip, (start - shift)..<(end - shift))
                guard let score = score(lips, beside: sound) else { continue }
                let pair = Pair(clip.name, start, score, shift: shift)
                found.append((pair, lips, sound))
            }
        }
        still = found.compactMap { pair, lips, sound in
            let first = lips.lazy.compactMap { $0 }.first
            return score(lips.map { $0 == nil ? nil : first }, beside: sound)
                .map { Pair(pair.clip, pair.start, $0) }
        }
        pairs = found.map(\.pair)
        pieces = pairs.count
        for (index, own) in found.enumerated() {
            for distance in [1, 5, 11, 17] {
                let other = found[(index + distance) % found.count]
                guard other.pair.clip != own.pair.clip else { continue }
                // the shorter one decides
                let frames = min(own.lips.count, other.lips.count)
                let lips = Array(own.lips.prefix(frames))
                guard let alone = score(lips, beside: own.sound.prefix(frames + 2 * reach)),
                    let beside = score(lips, beside: other.sound.prefix(frames + 2 * reach))
                else { continue }
                unmixed.append(Pair(own.pair.clip, own.pair.start, alone, shift: shift))
                mixed.append(Pair(own.pair.clip, own.pair.start, beside))
            }
        }
        let near = pairs.map(\.offset).filter { abs($0) <= 4 }.sorted()
        median = near.isEmpty ? 0 : near[near.count / 2]
        withinOne = share { $0.isRight(within: 1) }
        withinTwo = share { $0.isRight(within: 2) }
        // Mann and Whitney's count: a tie is half a win.
        var wins = 0.0
        for pair in unmixed {
            for other in mixed where pair.confidence >= other.confidence {
                wins += pair.confidence == other.confidence ? 0.5 : 1
            }
        }
        areaUnderCurve = wins / Double(max(1, unmixed.count * mixed.count))
    }

    private func share(_ isRight: (Pair) -> Bool) -> Double {
        Double(pairs.count(where: isRight)) / Double(max(1, pairs.count))
    }

    /// What is heard in some of a clip's frames, and `reach` more on either side.
    private struct Sound {
        var spectra: [[Float]?]
        var isSpeech: [Bool]

        init(_ clip: SyncClip, _ frames: Range<Int>) {
            let reach = MouthSyncNetwork.reach
            spectra = clip.piece(frames).spectra
            isSpeech = (frames.lowerBound - reach..<frames.upperBound + reach).map {
                clip.isSpeech.indices.contains($0) && clip.isSpeech[$0]
            }
        }

        func prefix(_ count: Int) -> Sound {
            var part = self
            part.spectra = Array(spectra.prefix(count))
            part.isSpeech = Array(isSpeech.prefix(count))
            return part
        }
    }

    public var summary: String {
        func percent(_ value: Double) -> String { String(format: "%.0f %%", value * 100) }
        return "\(pieces) pieces, within one frame \(percent(withinOne)), within two "
            + "\(percent(withinTwo)), median \(String(format: "%.2f", median)), area under curve "
            + String(format: "%.3f", areaUnderCurve)
    }
}

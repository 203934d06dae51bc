import Foundation
import Media
import Speech
import Torch

/// How well sound fits lips, as Loopy's own network sees it.
public struct MouthSyncScore: Sendable, Equatable {
    /// The frames by which the sound leads the lips, as SyncNet counts them: delaying the sound by as many
    /// mends it. Between whole frames it is interpolated.
    public let offset: Double
    /// The probability that lips and sound belong together, and that the offset is right within two frames.
    public let confidence: Double
    /// How likely each offset from -15 to 15 frames is: logarithms of its probability over that of "lips and
    /// sound have nothing to do with each other".
    public let curve: [Double]
    /// The seconds of speech in which the lips are seen.
    public let seconds: Double

    /// Scores what all offsets have got.
    ///
    /// - Parameters:
    ///   - curve: of 31 values, as `curve`; of several stretches of one face, its mean.
    ///   - seconds: as `seconds`, of all stretches together.
    public init(curve: [Double], seconds: Double) {
        (self.curve, self.seconds) = (curve, seconds)
        let reach = curve.count / 2
        let best = curve.indices.max { (curve[$0], $1) < (curve[$1], $0) } ?? reach
        offset = Double(best - reach) + Self.shift(curve, at: best)
        confidence = MouthSyncCalibration.found.confidence(.init(curve, seconds: seconds))
    }

    /// - Parameter logits: of the lags from -15 to 15, and of "unrelated".
    package init(logits: [Double], seconds: Double) {
        let unrelated = logits[logits.count - 1]
        // A lag is an offset's negative.
        self.init(curve: logits.dropLast().reversed().map { $0 - unrelated }, seconds: seconds)
    }

    /// The distance from the greatest value to the top of the parabola through it and its neighbours.
    private static func shift(_ values: [Double], at index: Int) -> Double {
        guard values.indices.contains(index - 1), values.indices.contains(index + 1) else {
            return 0
        }
        let (before, top, after) = (values[index - 1], values[index], values[index + 1])
        let curvature = before - 2 * top + after
        return curvature < 0 ? (before - after) / (2 * curvature) : 0
    }
}

/// Measures lip-sync by Loopy's own network. Belongs to one thread at a time.
public final class MouthSync {
    private let network: MouthSyncNetwork
    /// The frames of a piece that is normalised by itself: lips and rooms change in a minute.
    private static let piece = 125
    /// The seconds of visible speech below which nothing is said.
    public static let leastSeconds = 1.0

    /// - Parameter path: the network's file; nil for the embedded one.
    /// - Throws: `LoopyError` that names the file.
    public init(path: String? = nil) throws {
        network = try MouthSyncNetwork(path: path ?? EmbeddedNetwork.mouthSync.path)
    }

    package init(_ network: MouthSyncNetwork) { self.network = network }

    /// Scores a face.
    ///
    /// - Parameters:
    ///   - lips: the shapes of its lips in T frames of 25 a second; nil where they are not seen or a picture
    ///     is repeated.
    ///   - samples: the sound of the frames, and of `lead` frames before and any number behind them: 16 kHz,
    ///     mono, -1 to 1.
    ///   - isSpeech: whether somebody speaks, for each frame of the sound.
    /// - Returns: the seconds of speech in which the lips are seen; and the score, nil where they are less than
    ///   `leastSeconds`.
    public func score(
        lips: [LipShape?], samples: [Float], isSpeech: [Bool], lead: Int = 0
    ) throws -> (seconds: Double, score: MouthSyncScore?) {
        try score(lips: MouthSyncInput.filled(lips), isSpeech: isSpeech, lead: lead) {
            try Self.spectra(of: samples)
        }
    }

    /// Scores a face, as above.
    ///
    /// - Parameters:
    ///   - lips: with short gaps filled.
    ///   - spectra: gives the spectra of each frame of the sound, nil where there is none; not called where there
    ///     is too little speech.
    package func score(
        lips filled: [LipShape?], isSpeech: [Bool], lead: Int, spectra: () throws -> [[Float]?]
    ) rethrows -> (seconds: Double, score: MouthSyncScore?) {
        let speaking = filled.indices.count { frame in
            filled[frame] != nil && isSpeech.indices.contains(lead + frame)
                && isSpeech[lead + frame]
        }
        let seconds = Double(speaking) / Double(Grid.framesPerSecond)
        guard seconds >= Self.leastSeconds else { return (seconds, nil) }
        let sound = try spectra(), reach = MouthSyncNetwork.reach
        // A frame counts if there is speech at any of the lags: which of them is right is not known yet.
        let counted = filled.indices.map { frame -> LipShape? in
            let first = max(0, lead + frame - reach)
            let end = min(isSpeech.count, lead + frame + reach + 1)
            return first < end && isSpeech[first..<end].contains(true) ? filled[frame] : nil
        }

        // sum the evidence of all pieces
        var sum = Tensor.zeros([1, MouthSyncNetwork.lags])
        var count = Tensor.zeros([1, MouthSyncNetwork.lags])
        withoutGradient {
            let pieces = (counted.count + Self.piece - 1) / Self.piece
            for piece in 0..<pieces {
                let range = counted.count * piece / pieces..<counted.count * (piece + 1) / pieces
                let around = (lead + range.lowerBound - reach)..<(lead + range.upperBound + reach)
                let input = MouthSyncInput(
                    lips: Array(counted[range]),
                    spectra: around.map { sound.indices.contains($0) ? sound[$0] : nil })
                let found = network.evidence(input)
                sum = sum + found.sum
                count = count + found.count
            }
        }
        let logits = withoutGradient { network.logits(sum: sum, count: count) }
        return (
            seconds,
            MouthSyncScore(logits: logits.array(of: Float.self).map(Double.init), seconds: seconds)
        )
    }

    /// Why there is no score.
    public static func tooLittle(_ seconds: Double) -> String {
        String(
            format: "%.2f s of speech with visible lips; lip-sync needs %.0f s", seconds,
            leastSeconds)
    }

    /// The log-mel spectra of each frame, 4 x 80 values.
    ///
    /// - Parameter samples: 16 kHz, mono.
    package static func spectra(of samples: [Float]) throws -> [[Float]] {
        var frames: [[Float]] = []
        let width = MouthSyncNetwork.bands * MouthSyncNetwork.spectraPerFrame
        try LogMel().encode(Recording(samples)) { rows in
            let values = rows.array(of: Float.self)
            for start in stride(from: 0, to: values.count, by: width) {
                frames.append(Array(values[start..<(start + width)]))
            }
        }
        return frames
    }
}

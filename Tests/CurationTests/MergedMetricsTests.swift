import Curation
import Dataset
import Foundation
import Storage
import TestSupport
import Testing

@Suite struct MergedMetricsTests {
    private func metrics(_ values: [Metric: Double]) -> Metrics {
        var metrics = Metrics.unmeasured
        for (metric, value) in values { metrics[metric] = value }
        return metrics
    }

    @Test func durationsAreAddedAndLimitsKept() {
        let a = metrics([.duration: 2, .margin: 0.3, .yawMaximum: 10, .yawMinimum: -4])
        let b = metrics([.duration: 6, .margin: -0.1, .yawMaximum: 3, .yawMinimum: -9])
        let merged = a.merged(with: b)
        #expect(merged[.duration] == 8)
        #expect(merged[.margin] == -0.1)
        #expect(merged[.yawMaximum] == 10)
        #expect(merged[.yawMinimum] == -9)
    }

    @Test func meansAreWeightedByTime() {
        let a = metrics([.duration: 2, .faceHeight: 100, .speech: 1])
        let b = metrics([.duration: 6, .faceHeight: 140, .speech: 0])
        let merged = a.merged(with: b)
        #expect(merged[.faceHeight] == 130)
        #expect(merged[.speech] == 0.25)
    }

    /// The mouth in speech counts by seconds of speech, in silence by seconds of silence.
    @Test func mouthsAreWeightedByWhatIsHeard() {
        let a = metrics([.duration: 10, .speech: 0.9, .mouthInSpeech: 1, .mouthInSilence: 2])
        let b = metrics([.duration: 10, .speech: 0.1, .mouthInSpeech: 5, .mouthInSilence: 4])
        let merged = a.merged(with: b)
        #expect(abs(merged[.mouthInSpeech]! - 1.4) < 1e-9)  // (9·1 + 1·5) / 10
        #expect(abs(merged[.mouthInSilence]! - 3.8) < 1e-9)  // (1·2 + 9·4) / 10
    }

    @Test func whatOnlyOneStretchHasIsKept() {
        let a = metrics([.duration: 4])
        let b = metrics([.duration: 4, .mouthInSpeech: 0.3, .speech: 0.5])
        #expect(a.merged(with: b)[.mouthInSpeech] == 0.3)
        #expect(b.merged(with: a)[.mouthInSpeech] == 0.3)
        #expect(a.merged(with: b)[.syncConfidence] == nil)
    }

    /// A stretch that is cut anywhere gives what it gives in one piece.
    @Test(arguments: [1, 100, 333, 999])
    func cuttingAStretchInTwoChangesNothing(place: Int) {
        var numbers = FixedNumbers(7)
        let values = (0..<1000).map { _ in Double.random(in: 0...3, using: &numbers) }
        let speech = (0..<1000).map { _ in Bool.random(using: &numbers) }
        func measured(_ range: Range<Int>) -> Metrics {
            let part = range.map { values[$0] }
            let mean = part.reduce(0, +) / Double(part.count)
            let spoken = range.filter { speech[$0] }
            let silent = range.filter { !speech[$0] }
            func opening(_ frames: [Int]) -> Double? {
                frames.isEmpty ? nil : frames.reduce(0) { $0 + values[$1] } / Double(frames.count)
            }
            var result = Metrics.unmeasured
            result[.duration] = Double(part.count) / 25
            result[.movement] = mean
            result[.movementVariance] =
                part.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(part.count)
            result[.movementMaximum] = part.max()
            result[.presenceMinimum] = part.min()
            result[.speech] = Double(spoken.count) / Double(part.count)
            result[.mouthInSpeech] = opening(spoken)
            result[.mouthInSilence] = opening(silent)
            return result
        }
        let whole = measured(0..<1000)
        let joined = measured(0..<place).merged(with: measured(place..<1000))
        for metric in Metric.all {
            #expect((joined[metric] == nil) == (whole[metric] == nil))
            #expect(abs((joined[metric] ?? 0) - (whole[metric] ?? 0)) < 1e-5, "\(metric)")
        }
    }

    @Test func theOrderOfMergingDoesNotMatter() {
        var numbers = FixedNumbers(11)
        for _ in 0..<200 {
            let parts = (0..<3).map { _ -> Metrics in
                var part = Metrics.unmeasured
                for metric in Metric.all {
                    part[metric] = Double.random(in: 0...1, using: &numbers)
                }
                part[.duration] = Double.random(in: 1...60, using: &numbers)
                return part
            }
            let left = parts[0].merged(with: parts[1]).merged(with: parts[2])
            let right = parts[0].merged(with: parts[1].merged(with: parts[2]))
            // These are made anew of what was joined.
            let comparisons: [Metric] = [
                .otherFaces, .signalToNoise, .speaker, .syncConfidence, .syncOffset,
            ]
            for metric in Metric.all where !comparisons.contains(metric) {
                #expect(abs(left[metric]! - right[metric]!) < 1e-5, "\(metric)")
            }
        }
    }

    @Test func storesNullWhereNothingWasMeasured() throws {
        let stored = metrics([.faceHeight: 123.456789012, .sharpness: .nan, .margin: -.infinity])
        let line = try JSONLines.line(stored)
        let object = try #require(
            JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
        #expect(Set(object.keys) == Set(Metric.all.map(\.name)))
        #expect(object["face_height"] as? Double == 123.456789)
        #expect(object["sharpness"] is NSNull)
        #expect(object["margin"] is NSNull)
        let read = try JSONDecoder().decode(Metrics.self, from: Data(line))
        #expect(read == stored)
    }
}

import Curation
import Dataset
import Foundation
import Media
import Perception
import TestSupport
import Testing

@Suite struct SoundQualityMeasurerTests {
    /// Eight seconds: noise of -50 dB everywhere, and of -20 dB more in every other second of "speech".
    private static let samples: [Float] = {
        var numbers = FixedNumbers(5)
        // A uniform distribution to ±1 has a power of a third.
        return (0..<(8 * 16000)).map { index in
            let quiet =
                Float.random(in: -1...1, using: &numbers)
                * Float(pow(10, -50.0 / 20) * 3.0.squareRoot())
            let loud =
                Float.random(in: -1...1, using: &numbers)
                * Float(pow(10, -20.0 / 20) * 3.0.squareRoot())
            return index / 16000 % 2 == 0 ? quiet : quiet + loud
        }
    }()
    private static let isSpeech = (0..<200).map { $0 / 25 % 2 == 1 }

    /// The metrics of a face that is seen in some frames, of a stretch that has others.
    private func metrics(_ frames: Range<Int>, of stretch: Range<Int>) throws -> Metrics {
        let samples = Array(
            Self.samples[(stretch.lowerBound * 640)..<(stretch.upperBound * 640)])
        let sound = StretchSound(
            start: stretch.lowerBound, isSpeech: Array(Self.isSpeech[stretch]),
            isAudible: stretch.map { _ in true }, samples: samples)
        let track = try stillTrack(frames)
        let measured = try MetricMeasurers().metrics(of: TrackedFace(track: track, sound: sound))
        return comparedFaces([(frames, measured)])[0]
    }

    private func expect(
        _ metrics: Metrics, _ metric: Metric, _ value: Double, within tolerance: Double,
        at location: SourceLocation = #_sourceLocation
    ) throws {
        let found = try #require(metrics[metric], sourceLocation: location)
        #expect(abs(found - value) < tolerance, "\(metric): \(found)", sourceLocation: location)
    }

    @Test func levelsAndTheirRatioAreTold() throws {
        let found = try metrics(0..<200, of: 0..<200)
        try expect(found, .speechLevel, -20, within: 0.1)
        try expect(found, .noiseLevel, -50, within: 0.1)
        try expect(found, .signalToNoise, 30, within: 0.2)
        try expect(found, .bandwidth, 8000, within: 1)
    }

    @Test func aCandidateWithoutAPauseHasNoRatio() throws {
        let found = try metrics(25..<50, of: 0..<200)
        try expect(found, .speechLevel, -20, within: 0.2)
        #expect(found[.noiseLevel] == nil && found[.signalToNoise] == nil)
        let short = try metrics(45..<54, of: 0..<200)
        #expect(short[.noiseLevel] != nil && short[.signalToNoise] == nil)
    }

    /// Cutting a source into stretches changes nothing.
    @Test(arguments: [30, 75, 110])
    func twoPartsGiveTheWhole(border: Int) throws {
        let whole = try metrics(10..<190, of: 0..<200)
        let parts = try [
            metrics(10..<border, of: 0..<border), metrics(border..<190, of: border..<200),
        ]
        let joined = comparedFaces([(10..<190, parts[0].merged(with: parts[1]))])[0]
        for metric in [
            Metric.speechLevel, .noiseLevel, .signalToNoise, .bandwidth, .speech, .sound,
        ] {
            try expect(joined, metric, #require(whole[metric]), within: 1e-4)
        }
        // These are computed anew in each part, from a peak and from blocks of its own.
        try expect(joined, .clipping, #require(whole[.clipping]), within: 0.02)
    }

    @Test func withoutSoundThereIsNothingToSay() throws {
        let found = try MetricMeasurers().metrics(of: TrackedFace(track: stillTrack(0..<50)))
        for metric in [Metric.speechLevel, .noiseLevel, .clipping, .bandwidth, .music] {
            #expect(found[metric] == nil)
        }
    }
}

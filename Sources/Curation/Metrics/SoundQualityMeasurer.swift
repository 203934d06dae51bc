import Dataset
import Foundation
import Perception

/// How good the sound is, whoever is heard.
struct SoundQualityMeasurer: MetricMeasurer {
    static let metrics: [Metric] = [.speechLevel, .noiseLevel, .clipping, .bandwidth, .music]
    static let version = 1

    init(networks: [String: String]) {}

    func values(of face: TrackedFace) -> MetricValues {
        guard let sound = face.sound else { return [:] }
        let first = face.frames.lowerBound - sound.start
        let heard = (first..<(first + face.frames.count)).clamped(to: sound.isSpeech.indices)
        let samples = sound.samples(of: heard)
        guard !samples.isEmpty else { return [:] }
        let isSpeech = Array(sound.isSpeech[heard])
        let levels = Array(zip(SoundQuality.levels(samples), isSpeech))
        let powers = levels.filter(\.1).map { pow(10, $0.0 / 10) }
        return [
            .speechLevel: powers.mean.map { 10 * log10($0) },
            .noiseLevel: levels.filter { !$0.1 }.map(\.0).mean,
            .clipping: SoundQuality.clipping(samples),
            .bandwidth: SoundQuality.bandwidth(samples, isSpeech: isSpeech),
            .music: SteadyTones.share(samples),
        ]
    }
}

/// How far speech is above what is heard between: of the levels, which joined stretches have too.
enum SignalToNoise: MetricComparer {
    static let metrics: [Metric] = [.signalToNoise]
    static let version = 1
    /// Seconds without speech that tell what noise there is.
    private static let shortestPause = 0.4
    /// The noise is in the speech as well; below this ratio of powers, -10 dB, it says nothing.
    private static let leastRatio = 0.1

    static func values(of index: Int, among faces: [SeenFace]) -> [Metric: Double?] {
        let own = faces[index].metrics
        guard let speech = own[.speechLevel], let noise = own[.noiseLevel],
            (own[.duration] ?? 0) * (1 - (own[.speech] ?? 1)) >= shortestPause
        else { return [.signalToNoise: nil] }
        let ratio = pow(10, (speech - noise) / 10) - 1
        return [.signalToNoise: 10 * log10(max(leastRatio, ratio))]
    }
}

extension Metric {
    public static let speechLevel = Metric(
        "speech_level", unit: "dB", .levelInSpeech,
        "The level of the sound while somebody speaks, of full scale.")
    // The mean of levels, not of powers: a cough, or the end of a word, is not the noise.
    public static let noiseLevel = Metric(
        "noise_level", unit: "dB", .meanInSilence,
        "The mean level of the sound while nobody speaks, of full scale; -100 is digital silence.")
    public static let clipping = Metric(
        "clipping", .mean,
        "The share of samples within 1 dB of the peak: 0.001 to 0.004 in clean speech, more by what was "
            + "clipped, at any level.")
    public static let bandwidth = Metric(
        "bandwidth", unit: "Hz", .meanInSpeech,
        "The highest frequency of speech, down to 60 dB below the strongest; at most 8000. Telephone sound "
            + "has about 4400.")
    public static let music = Metric(
        "music", .mean,
        "How much is heard of tones that keep their pitch: 0.2 to 0.5 of speech alone, 0.5 to 0.8 with music 10 "
            + "dB below it. Drums alone are not heard; a hum is.")
    public static let signalToNoise = Metric(
        "signal_to_noise", unit: "dB", .anew,
        "The level of speech over that of the pauses, of which there must be 0.4 s together.")
}

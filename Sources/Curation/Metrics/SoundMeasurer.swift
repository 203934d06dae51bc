/// What is heard, and how the mouth moves meanwhile.
struct SoundMeasurer: MetricMeasurer {
    static let metrics: [Metric] = [.sound, .speech, .mouthInSpeech, .mouthInSilence]
    static let version = 1

    init(networks: [String: String]) {}

    func values(of face: TrackedFace) -> MetricValues {
        guard let sound = face.sound else { return [.sound: 0, .speech: 0] }
        let track = face.track
        var speech = 0, audible = 0
        var opening = (speech: 0.0, silence: 0.0)
        let mouth = Self.smoothed((0..<track.count).map { track[$0, .mouthOpening] })
        for frame in 0..<track.count {
            let heard = track.start - sound.start + frame
            guard heard < sound.isSpeech.count else { break }
            if sound.isAudible[heard] { audible += 1 }
            let change = frame > 0 ? abs(mouth[frame] - mouth[frame - 1]) : 0
            if sound.isSpeech[heard] {
                speech += 1
                opening.speech += change
            } else {
                opening.silence += change
            }
        }
        let silence = track.count - speech
        let rate = TrackRecorder.framesPerSecond
        return [
            .sound: Double(audible) / Double(track.count),
            .speech: Double(speech) / Double(track.count),
            .mouthInSpeech: speech > 0 ? opening.speech * rate / Double(speech) : nil,
            .mouthInSilence: silence > 0 ? opening.silence * rate / Double(silence) : nil,
        ]
    }

    /// A median of three takes out single wrong pictures, and keeps syllables.
    private static func smoothed(_ values: [Double]) -> [Double] {
        values.indices.map { index in
            guard index > 0, index < values.count - 1 else { return values[index] }
            let (before, after) = (values[index - 1], values[index + 1])
            return max(min(before, values[index]), min(max(before, values[index]), after))
        }
    }
}

extension Metric {
    // The limits were chosen on real clips.
    public static let sound = Metric(
        "sound", .mean, limits: Limits(minimum: 0.5),
        "The share of time in which the sound track is above -60 dB; 0 without one.")
    public static let speech = Metric(
        "speech", .mean, limits: Limits(minimum: 0.4),
        "The share of time in which somebody speaks (Silero VAD).")
    public static let mouthInSpeech = Metric(
        "mouth_in_speech", unit: "eye distances/s", .meanInSpeech, limits: Limits(minimum: 0.08),
        "The speed of the mouth's opening while there is speech.")
    public static let mouthInSilence = Metric(
        "mouth_in_silence", unit: "eye distances/s", .meanInSilence,
        "The speed of the mouth's opening while there is none.")
}

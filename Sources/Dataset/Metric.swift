/// Everything that is measured about a candidate. Rules refer to these names.
///
/// A metric that could not be measured is null. Each says how the values of two stretches of one
/// candidate become the value of the whole, so that work units may cut a source anywhere.
public enum Metric: String, Codable, CaseIterable, Sendable, CodingKey, CodingKeyRepresentable {
    // MARK: Source

    /// Seconds.
    case duration
    /// Pictures a second of the source, before the 25 fps grid.
    case frameRate = "frame_rate"
    /// Shorter side of the upright picture, in pixels.
    case resolution
    /// Share of pictures that the decoder had to repair or guess.
    case damaged

    // MARK: Face

    /// Mean width and height of the face (its 468 points), in pixels of the source.
    case faceWidth = "face_width"
    case faceHeight = "face_height"
    /// Mean and least probability that the landmarks are on a face, 0...1.
    case presence
    case presenceMinimum = "presence_minimum"
    /// Share of pictures with another face at least half as tall.
    case otherFaces = "other_faces"
    /// Share of the head (hair included, estimated) that is inside the picture: mean and least.
    case completeness
    case completenessMinimum = "completeness_minimum"
    /// Least distance from the head to the picture's edge, in face heights; negative outside.
    case margin

    // MARK: Motion

    /// Mean speed of the head across the picture, in face heights a second, and its variance.
    case movement
    case movementVariance = "movement_variance"
    /// Highest speed over half a second, in face heights a second.
    case movementMaximum = "movement_maximum"
    /// Degrees. Yaw is positive when the face turns to the picture's right, pitch when it looks
    /// up, roll when its top leans to the picture's right.
    case yawMinimum = "yaw_minimum"
    case yawMaximum = "yaw_maximum"
    case pitchMinimum = "pitch_minimum"
    case pitchMaximum = "pitch_maximum"
    case rollMinimum = "roll_minimum"
    case rollMaximum = "roll_maximum"
    /// Share of pictures in which yaw, pitch or roll is beyond 30 degrees.
    case rotation
    /// Mean change of the head's pose, in degrees a second.
    case rotationSpeed = "rotation_speed"

    // MARK: Picture

    /// Fine detail of the face: mean |Laplacian| of its brightness at 192 pixels, over the standard
    /// deviation, so that dim and flat light do not pass for blur.
    case sharpness
    /// Mean brightness of the face, 0...1.
    case brightness

    // MARK: Sound

    /// Share of time in which the sound track is above -60 dB; 0 without one.
    case sound
    /// Share of time in which somebody speaks (Silero VAD).
    case speech
    /// Speed of the mouth's opening while there is speech, and while there is none, in distances
    /// between the eyes a second.
    case mouthInSpeech = "mouth_in_speech"
    case mouthInSilence = "mouth_in_silence"
    /// `mouthInSpeech` over the highest of the faces seen at the same time; 1 for the only or the
    /// most active one.
    case speaker
    /// SyncNet's confidence, offset (frames; positive when audio leads) and distance.
    case syncConfidence = "sync_confidence"
    case syncOffset = "sync_offset"
    case syncDistance = "sync_distance"
}

/// How the values of two stretches become one.
enum MetricMerge {
    case sum, least, greatest, mean
    /// The variance of a speed whose means are known.
    case variance
    /// Mean weighted by the time with, or without, speech.
    case meanInSpeech, meanInSilence
}

extension Metric {
    var merge: MetricMerge {
        switch self {
        case .duration: .sum
        case .presenceMinimum, .completenessMinimum, .margin, .yawMinimum, .pitchMinimum,
            .rollMinimum:
            .least
        case .movementMaximum, .yawMaximum, .pitchMaximum, .rollMaximum: .greatest
        case .mouthInSpeech: .meanInSpeech
        case .mouthInSilence: .meanInSilence
        case .movementVariance: .variance
        default: .mean
        }
    }
}

/// The measured values of one candidate.
public struct Metrics: Codable, Sendable, Equatable {
    /// One place for each metric, in the order of `Metric.allCases`.
    private var values: [Double?]

    private static let places = Dictionary(
        uniqueKeysWithValues: Metric.allCases.enumerated().map { ($1, $0) })

    public init() { values = Array(repeating: nil, count: Metric.allCases.count) }

    /// Values are kept to six decimals: more is noise, and makes files larger.
    public subscript(metric: Metric) -> Double? {
        get { Self.places[metric].flatMap { values[$0] } }
        set {
            guard let place = Self.places[metric] else { return }
            values[place] = newValue.flatMap { $0.isFinite ? ($0 * 1e6).rounded() / 1e6 : nil }
        }
    }

    // By hand, because files of a million lines are read: a dictionary of optionals takes twice as
    // long.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Metric.self)
        values = try Metric.allCases.map { try container.decodeIfPresent(Double.self, forKey: $0) }
    }

    /// Every metric has its place: null where it was not measured.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Metric.self)
        for (metric, value) in zip(Metric.allCases, values) {
            try container.encode(value, forKey: metric)
        }
    }

    /// The values of two stretches of one candidate, taken together.
    public func merged(with other: Metrics) -> Metrics {
        var result = Metrics()
        for metric in Metric.allCases {
            guard let a = self[metric], let b = other[metric] else {
                result[metric] = self[metric] ?? other[metric]
                continue
            }
            switch metric.merge {
            case .sum: result[metric] = a + b
            case .least: result[metric] = min(a, b)
            case .greatest: result[metric] = max(a, b)
            case .mean, .meanInSpeech, .meanInSilence:
                let weights = (weight(metric.merge), other.weight(metric.merge))
                let total = weights.0 + weights.1
                result[metric] = total > 0 ? (a * weights.0 + b * weights.1) / total : a
            case .variance:
                let weights = (weight(metric.merge), other.weight(metric.merge))
                let total = max(weights.0 + weights.1, 1e-9)
                // Within the stretches, and between their means.
                let apart = (self[.movement] ?? 0) - (other[.movement] ?? 0)
                let within = (a * weights.0 + b * weights.1) / total
                result[metric] =
                    within + weights.0 * weights.1 / (total * total) * apart * apart
            }
        }
        return result
    }

    private func weight(_ merge: MetricMerge) -> Double {
        let seconds = self[.duration] ?? 0
        switch merge {
        case .meanInSpeech: return seconds * (self[.speech] ?? 0)
        case .meanInSilence: return seconds * (1 - (self[.speech] ?? 0))
        default: return seconds
        }
    }
}

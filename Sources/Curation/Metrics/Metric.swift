import Dataset

/// Something that is measured about every candidate, and that a rule can limit.
///
/// A metric is declared beside what measures it (`MetricMeasurer`, `MetricComparer`). To add one, write
/// such a type in a file of this folder, and add the type to `Metric.sources`: measurements get the new
/// value and another fingerprint, rules can name it, and docs/metrics.md lists it.
public struct Metric: Sendable {
    /// The key in measurements, and the name of the rule that limits the metric.
    public let name: String
    /// The unit of the values; empty for shares, probabilities and ratios.
    public let unit: String
    /// What the value is, as a sentence.
    public let meaning: String
    /// What a candidate must keep where the user sets nothing.
    public let limits: Limits
    let merging: Merging

    /// How the values of two stretches of one candidate become the value of the whole, so that work units may
    /// cut a source anywhere.
    enum Merging: Sendable {
        case sum, least, greatest
        /// The mean, weighted by time; by the time with speech; by the time without.
        case mean, meanInSpeech, meanInSilence
        /// A level in dB: the mean of the powers, weighted by the time with speech.
        case levelInSpeech
        /// The variance of a metric whose mean is known: within the stretches, and between their means.
        case variance(of: String)
        /// The value is computed anew from the joined candidates (`MetricComparer`, `StitchedCandidate`).
        case anew
    }

    init(
        _ name: String, unit: String = "", _ merging: Merging, limits: Limits = Limits(),
        _ meaning: String
    ) {
        (self.name, self.unit, self.merging) = (name, unit, merging)
        (self.limits, self.meaning) = (limits, meaning)
    }
}

extension Metric: Hashable {
    public static func == (a: Metric, b: Metric) -> Bool { a.name == b.name }
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

extension Metric {
    /// Everything that measures candidates. The rules are tried in the order of this list.
    static let sources: [any MetricSource.Type] = [
        SourceMeasurer.self, FaceMeasurer.self, OtherFaces.self, FramingMeasurer.self,
        MovementMeasurer.self, RotationMeasurer.self, PictureMeasurer.self, OverlayMeasurer.self,
        MouthColourMeasurer.self, CodingMeasurer.self, CameraMeasurer.self, SoundMeasurer.self,
        SoundQualityMeasurer.self, SignalToNoise.self, Speaker.self, MouthSyncMeasurer.self,
        SyncNetMeasurer.self,
    ]

    /// Every metric that Loopy measures; networks that users name give others (`Metric.network`).
    public static let all = sources.flatMap { $0.metrics }

    static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

    /// The version of every metric: what the measurements' fingerprint covers.
    static let versions = Dictionary(
        uniqueKeysWithValues: sources.flatMap { source in
            source.metrics.map { ($0.name, source.version) }
        })
}

extension Metrics {
    /// Every metric, none of them measured.
    package static let unmeasured = Metrics(names: Metric.all.map(\.name))

    /// Every metric and those of networks that the user named, none of them measured.
    package static func unmeasured(and networks: [Metric]) -> Metrics {
        networks.isEmpty ? unmeasured : Metrics(names: (Metric.all + networks).map(\.name))
    }

    public subscript(metric: Metric) -> Double? {
        get { self[metric.name] }
        set { self[metric.name] = newValue }
    }

    /// Adds values that a measurer gave.
    mutating func add(_ values: [Metric: Double?]) {
        for (metric, value) in values { self[metric] = value }
    }
}

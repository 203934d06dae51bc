import Dataset

/// The limits of one metric; null for none.
public struct Limits: Codable, Sendable, Equatable {
    public var minimum: Double?
    public var maximum: Double?

    public init(minimum: Double? = nil, maximum: Double? = nil) {
        self.minimum = minimum
        self.maximum = maximum
    }

    public var isEmpty: Bool { minimum == nil && maximum == nil }

    /// The limit that a value breaks; nil when it keeps both.
    func broken(by value: Double) -> Double? {
        if let minimum, value < minimum { return minimum }
        if let maximum, value > maximum { return maximum }
        return nil
    }

    // Both keys are always written: defaults show what can be set.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(minimum, forKey: .minimum)
        try container.encode(maximum, forKey: .maximum)
    }

    enum CodingKeys: String, CodingKey { case minimum, maximum }
}

/// What a candidate must be like: limits on any of the metrics. A rule is called as its metric.
///
/// The defaults and where they come from:
/// - `duration`, `face_height`, `face_width`: LatentSync (3 s; at least 50x80 pixels).
/// - `rotation`: Hallo's 30 degrees, as a share of time: a good speaker glances aside.
/// - `sync_confidence`, `sync_offset`: LatentSync. Not applied while nothing measures them.
/// - `movement` to `speaker`: chosen on real clips; the README's table says what each rejects.
public struct Rules: Codable, Sendable, Equatable {
    private var limits: [Metric: Limits]

    /// The defaults.
    public init() {
        limits = Dictionary(uniqueKeysWithValues: Metric.allCases.map { ($0, Limits()) })
        self[.duration].minimum = 3
        self[.damaged].maximum = 0.05
        self[.faceWidth].minimum = 50
        self[.faceHeight].minimum = 80
        self[.presence].minimum = 0.9
        self[.completeness].minimum = 0.8
        self[.rotation].maximum = 0.3
        self[.movement].maximum = 1
        self[.movementMaximum].maximum = 4
        self[.sharpness].minimum = 0.1
        self[.brightness].minimum = 0.1
        self[.brightness].maximum = 0.95
        self[.sound].minimum = 0.5
        self[.speech].minimum = 0.4
        self[.mouthInSpeech].minimum = 0.08
        self[.speaker].minimum = 1
        self[.syncConfidence].minimum = 3
        self[.syncOffset].minimum = -6
        self[.syncOffset].maximum = 6
    }

    public subscript(metric: Metric) -> Limits {
        get { limits[metric] ?? Limits() }
        set { limits[metric] = newValue }
    }

    public init(from decoder: any Decoder) throws {
        limits = try decoder.singleValueContainer().decode([Metric: Limits].self)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(limits)
    }

    /// The rules that have a limit, in the order in which they are applied.
    public var applied: [(metric: Metric, limits: Limits)] {
        Metric.allCases.compactMap { metric in
            let limits = self[metric]
            return limits.isEmpty ? nil : (metric, limits)
        }
    }

    /// The first rule that the values break, and those that could not be applied.
    ///
    /// - Parameter chosen: rules to try; all when left out.
    package func judge(
        _ metrics: Metrics, _ chosen: [Metric] = Metric.allCases
    ) -> (broken: (metric: Metric, value: Double, limit: Double)?, notApplied: [Metric]) {
        var notApplied: [Metric] = []
        for (metric, limits) in applied where chosen.contains(metric) {
            guard let value = metrics[metric] else {
                notApplied.append(metric)
                continue
            }
            if let limit = limits.broken(by: value) { return ((metric, value, limit), notApplied) }
        }
        return (nil, notApplied)
    }
}

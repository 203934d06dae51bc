import Dataset
import Settings

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

/// What a candidate must be like: limits on any of the metrics. A rule is called as its metric, which
/// declares the default limits.
public struct Rules: DescribedSettings, Equatable {
    private var limits: [Metric: Limits]

    /// Makes the defaults.
    public init() {
        limits = Dictionary(uniqueKeysWithValues: Metric.all.map { ($0, $0.limits) })
    }

    public subscript(metric: Metric) -> Limits {
        get { limits[metric] ?? Limits() }
        set { limits[metric] = newValue }
    }

    public static var settings: [Setting<Rules>] {
        Metric.all.map { metric in
            .limits(
                metric.name, minimum: \.[metric].minimum, maximum: \.[metric].maximum,
                unit: metric.unit, metric.meaning)
        }
    }

    /// - Throws: `DecodingError` for a rule whose metric nobody knows, with the nearest known one.
    public init(from decoder: any Decoder) throws {
        self.init()
        let named = try decoder.singleValueContainer().decode([String: Limits].self)
        for (name, limits) in named {
            guard let metric = Metric.byName[name] else {
                throw DecodingError.dataCorrupted(
                    .init(
                        codingPath: decoder.codingPath,
                        debugDescription: "unknown rule '\(name)'"
                            + Configuration.suggest(name, Metric.all.map(\.name))))
            }
            self[metric] = limits
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(
            Dictionary(uniqueKeysWithValues: limits.map { ($0.name, $1) }))
    }

    /// The rules that have a limit, in the order in which they are applied.
    public var applied: [(metric: Metric, limits: Limits)] {
        Metric.all.compactMap { metric in
            let limits = self[metric]
            return limits.isEmpty ? nil : (metric, limits)
        }
    }

    /// The first rule that the values break, and those that could not be applied.
    ///
    /// - Parameter chosen: rules to try; all when left out.
    package func judge(
        _ metrics: Metrics, _ chosen: [Metric]? = nil
    ) -> (broken: (metric: Metric, value: Double, limit: Double)?, notApplied: [Metric]) {
        var notApplied: [Metric] = []
        for (metric, limits) in applied where chosen?.contains(metric) ?? true {
            guard let value = metrics[metric] else {
                notApplied.append(metric)
                continue
            }
            if let limit = limits.broken(by: value) { return ((metric, value, limit), notApplied) }
        }
        return (nil, notApplied)
    }
}

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
    /// The metrics of networks that the user named (`measure.networks`), which rules can limit too.
    private let networks: [Metric]

    /// Makes the defaults.
    public init() { self.init(networks: []) }

    /// Makes the defaults, with rules on the metrics of networks that the user named.
    public init(networks: [Metric]) {
        self.networks = networks
        limits = Dictionary(
            (Metric.all + networks).map { ($0, $0.limits) }, uniquingKeysWith: { first, _ in first }
        )
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

    /// Reads what `Configuration` put together, which has refused names that the defaults do not know.
    public init(from decoder: any Decoder) throws {
        let named = try decoder.singleValueContainer().decode([String: Limits].self)
        self.init(
            networks: named.keys.filter { Metric.byName[$0] == nil }.sorted().map {
                Metric.network($0)
            })
        for (name, limits) in named { self[Metric.byName[name] ?? .network(name)] = limits }
    }

    public var conflict: String? {
        for metric in networks {
            let limits = [self[metric].minimum, self[metric].maximum].compactMap(\.self)
            if !limits.allSatisfy(\.isFinite) {
                return "\(metric.name): limits are numbers, or null"
            }
            if limits.count == 2, limits[0] > limits[1] {
                return "\(metric.name): the minimum, \(limits[0]), is more than the maximum, "
                    + "\(limits[1])"
            }
        }
        return nil
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(
            Dictionary(uniqueKeysWithValues: limits.map { ($0.name, $1) }))
    }

    /// The rules that have a limit, in the order in which they are applied.
    public var applied: [(metric: Metric, limits: Limits)] {
        (Metric.all + networks).compactMap { metric in
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

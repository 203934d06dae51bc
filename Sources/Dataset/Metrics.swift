import Storage

/// The measured values of one candidate: a number for each metric's name, null where it could not be
/// measured.
///
/// A dataset knows metrics by their names alone; `Metric` in Curation says what they are.
public struct Metrics: Codable, Sendable, Equatable {
    private var names: MetricNames
    /// A value for each name, in the order of the names.
    private var values: [Double?]

    /// No metrics at all.
    public init() { self.init(names: []) }

    /// Metrics that were not measured.
    public init(names: [String]) {
        self.names = MetricNames(names.map(MetricNames.Key.init))
        values = Array(repeating: nil, count: names.count)
    }

    /// The metrics' names, those that were not measured among them.
    public var allNames: [String] { names.keys.map(\.stringValue) }

    /// Values are kept to six decimals: more is noise, and makes files larger. A value that is not a finite
    /// number counts as not measured.
    public subscript(name: String) -> Double? {
        get { names.indices[name].flatMap { values[$0] } }
        set {
            let value = newValue.flatMap { $0.isFinite ? ($0 * 1e6).rounded() / 1e6 : nil }
            if let index = names.indices[name] {
                values[index] = value
            } else {
                names = MetricNames(names.keys + [MetricNames.Key(name)])
                values.append(value)
            }
        }
    }

    // By hand, because files of a million lines are read: a dictionary of optionals takes twice as
    // long, and its keys take more memory than the values. The lines of a file have the same names.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: MetricNames.Key.self)
        let memory = LineMemory.of(decoder)
        if let known = memory?.value(MetricNames.self) {
            names = known
        } else {
            names = MetricNames(container.allKeys)
            if !names.keys.isEmpty { memory?.keep(names) }
        }
        values = try names.keys.map { try container.decodeIfPresent(Double.self, forKey: $0) }
    }

    /// Every name is written, with null where nothing was measured.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: MetricNames.Key.self)
        for (name, value) in zip(names.keys, values) { try container.encode(value, forKey: name) }
    }

    public static func == (a: Metrics, b: Metrics) -> Bool {
        if a.names === b.names { return a.values == b.values }
        return a.names.keys.count == b.names.keys.count
            && a.names.keys.allSatisfy { key in
                b.names.indices[key.stringValue] != nil
                    && a[key.stringValue] == b[key.stringValue]
            }
    }
}

/// The names that values belong to; candidates share them.
private final class MetricNames: Sendable {
    struct Key: CodingKey, Equatable {
        let stringValue: String
        var intValue: Int? { nil }

        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.init(stringValue) }
        init?(intValue: Int) { nil }
    }

    let keys: [Key]
    let indices: [String: Int]

    init(_ keys: [Key]) {
        self.keys = keys
        indices = Dictionary(
            keys.enumerated().map { ($1.stringValue, $0) }, uniquingKeysWith: { first, _ in first })
    }
}

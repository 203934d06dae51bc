import Errors
import Settings

/// The settings of `loopy-evaluate`, the section `evaluate`: those that metrics share, the network of
/// each metric under the metric's name, and the settings of single metrics.
///
/// A network is a file (`.onnx`, `.pt` for TorchScript, `.model` for SyncNet), the name of one in
/// Manifests/models.yaml, or "none". What a network that is not here would measure is reported absent.
public struct MetricsSettings: Codable, Sendable {
    var shared = SharedMetricSettings()
    /// The networks' settings, by metric.
    private var networks: [String: String] = [:]
    /// The settings of single metrics, by metric.
    private var own: [String: any MetricSettings] = [:]

    public init() {
        for type in EvaluationMetrics.all {
            networks[type.name] = type.network.setting
            own[type.name] = type.defaultSettings
        }
    }

    public init(from decoder: any Decoder) throws {
        shared = try SharedMetricSettings(from: decoder)
        let container = try decoder.container(keyedBy: NetworkKey.self)
        for type in EvaluationMetrics.all {
            if type.network != .builtIn {
                networks[type.name] = try container.decode(
                    String.self, forKey: NetworkKey(stringValue: type.name))
            }
            own[type.name] = try type.settings(from: decoder)
        }
    }

    public func encode(to encoder: any Encoder) throws {
        try shared.encode(to: encoder)
        for settings in own.values { try settings.encode(to: encoder) }
        var container = encoder.container(keyedBy: NetworkKey.self)
        for (name, setting) in networks {
            try container.encode(setting, forKey: NetworkKey(stringValue: name))
        }
    }

    /// - Throws: `LoopyError` `.configuration` for numbers out of range.
    func validate() throws {
        try shared.validate()
        for settings in own.values { try settings.validate() }
    }

    /// The settings of one metric.
    func own<Metric: EvaluationMetric>(_ type: Metric.Type) -> Metric.Settings {
        own[type.name] as? Metric.Settings ?? Metric.Settings()
    }

    /// The file of a metric's network, or why there is none; neither for a metric that needs none.
    ///
    /// - Throws: `LoopyError` for a setting that is neither a file nor a known name.
    func network(
        of type: any EvaluationMetric.Type
    ) throws -> (file: String?, absence: String?) {
        guard let setting = networks[type.name] else { return (nil, nil) }
        if setting == "none" { return (nil, "no network: set evaluate.\(type.name)") }
        // Without a manifest there is nothing under the usual name, and nothing is wrong.
        let isUsual = setting == type.network.setting && (try? ModelManifest.locate()) == nil
        if let file = isUsual ? nil : try ModelManifest.resolve(setting) { return (file, nil) }
        return (nil, "no network: '\(setting)' is not here; see `loopy models`")
    }

    /// A metric's name as a key of the section.
    private struct NetworkKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}

/// The settings that several metrics share.
struct SharedMetricSettings: MetricSettings {
    /// FID, E-FID and IQA look at every so many-th picture.
    var pictureStep = 1
    /// The device of TorchScript networks: "cpu", "cuda:0".
    var device = "cpu"

    func validate() throws { try Self.check("picture_step", pictureStep, isAtLeast: 1) }
}

/// The settings of one metric beside its network.
protocol MetricSettings: Codable, Sendable {
    init()

    /// - Throws: `LoopyError` `.configuration` for a value out of range.
    func validate() throws
}

extension MetricSettings {
    static func check(_ name: String, _ value: Int, isAtLeast least: Int) throws {
        guard value >= least else {
            throw LoopyError(
                .configuration, "evaluate.\(name): \(value) is too small; give \(least) or more")
        }
    }
}

/// No settings: those of a metric that has none.
struct NoSettings: MetricSettings {
    func validate() {}
}

extension NetworkNeed {
    /// The setting where nothing else is said; nil where there is no such setting.
    fileprivate var setting: String? {
        switch self {
        case .builtIn: nil
        case .published(let name): name
        case .chosen: "none"
        }
    }
}

extension EvaluationMetric {
    fileprivate static var defaultSettings: any MetricSettings { Settings() }

    fileprivate static func settings(from decoder: any Decoder) throws -> any MetricSettings {
        try Settings(from: decoder)
    }
}

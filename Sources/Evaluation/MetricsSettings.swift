import Settings

/// The settings of `loopy-evaluate`, the section `evaluate`: those that metrics share, the network of
/// each metric under the metric's name, and the settings of single metrics.
///
/// A network is a file (`.onnx`, `.pt` for TorchScript, `.model` for SyncNet), the name of one in
/// Manifests/models.yaml, or "none". What a network that is not here would measure is reported absent.
public struct MetricsSettings: DescribedSettings {
    var shared = SharedMetricSettings()
    /// The networks' settings, by metric.
    private var networks: [String: String] = [:]
    /// The settings of single metrics, by metric.
    private var own: [String: any DescribedSettings] = [:]

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

    public static var settings: [Setting<MetricsSettings>] {
        let networks = EvaluationMetrics.all.filter { $0.network != .builtIn }.map { type in
            Setting<MetricsSettings>.text(
                type.name, \.[network: type.name],
                "a file, a name in Manifests/models.yaml, or none",
                "The network of the metric \(type.name): \(type.summary)")
        }
        return networks + EvaluationMetrics.all.map { $0.ownSettings } + [.inlined(\.shared)]
    }

    private subscript(network metric: String) -> String { networks[metric] ?? "none" }

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
struct SharedMetricSettings: DescribedSettings {
    var pictureStep = 1
    var device = "cpu"

    static var settings: [Setting<SharedMetricSettings>] {
        [
            .number(
                "picture_step", \.pictureStep, in: 1...1_000_000, unit: "pictures",
                "FID, E-FID and IQA look at every so many-th picture."),
            .device("device", \.device, "The device on which TorchScript networks run."),
        ]
    }
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
    fileprivate static var ownSettings: Setting<MetricsSettings> { .inlined { $0.own(Self.self) } }

    fileprivate static var defaultSettings: any DescribedSettings { Settings() }

    fileprivate static func settings(from decoder: any Decoder) throws -> any DescribedSettings {
        try Settings(from: decoder)
    }
}

import Curation
import Errors
import Evaluation
import Features
import Generation
import LoopyModel
import Runs
import Settings
import Work

/// A section of a pipeline file and the type of its settings.
package struct SettingsSection: Sendable {
    /// The path of keys: ["extract", "speech"].
    package let path: [String]
    package let type: any DescribedSettings.Type

    package var name: String { path.joined(separator: ".") }
    package var settings: [DocumentedSetting] { type.documented(section: name) }

    private init(_ path: [String], _ type: any DescribedSettings.Type) {
        self.path = path
        self.type = type
    }

    /// Every section, in the order of a pipeline file.
    package static let all = Section.allCases.flatMap(sections)

    private static func sections(of section: Section) -> [SettingsSection] {
        let name = section.rawValue
        return switch section {
        case .run: [SettingsSection([name], RunSettings.self)]
        case .ingest: [SettingsSection([name], IngestSettings.self)]
        case .measure: [SettingsSection([name], MeasureSettings.self)]
        case .select: [SettingsSection([name], SelectSettings.self)]
        case .crop: [SettingsSection([name], CropSettings.self)]
        case .extract:
            FeatureColumns.all.map { SettingsSection([name, $0.name], $0.settingsType) }
        case .pack: [SettingsSection([name], PackSettings.self)]
        case .model: [SettingsSection([name], LoopyConfiguration.self)]
        case .train: [SettingsSection([name], TrainingSettings.self)]
        case .generate: [SettingsSection([name], GenerationSettings.self)]
        case .evaluate: [SettingsSection([name], MetricsSettings.self)]
        }
    }
}

extension SettingsSection {
    /// Reads every section of a pipeline file, so that a mistake shows before hours of work and not after.
    ///
    /// - Parameter measured: metrics of networks that the dataset was measured with. They count where the
    ///   file has no stage that measures.
    /// - Throws: `LoopyError` `.configuration` for the first mistake.
    package static func check(
        _ file: String, overrides: [String], measured: [Metric] = []
    ) throws {
        for override in overrides {
            let name = String(override.prefix { $0 != "=" })
            let isKnown = all.contains { (name + ".").hasPrefix($0.name + ".") }
            guard !isKnown, name.hasPrefix(Section.extract.rawValue + ".") else { continue }
            let columns = FeatureColumns.names
            let column = name.split(separator: ".").dropFirst().first.map(String.init) ?? ""
            throw LoopyError(
                .configuration,
                "'\(override)': there is no column '\(column)'"
                    + Configuration.suggest(column, columns))
        }
        let measures = try Configuration.stages(of: file).contains([Section.measure.rawValue])
        for section in all {
            try section.check(file, overrides: overrides, measured: measures ? [] : measured)
        }
    }

    /// Reads this section of a file, or the overrides alone.
    package func check(
        _ file: String? = nil, overrides: [String] = [], measured: [Metric] = []
    ) throws {
        if path == [Section.select.rawValue] {
            // Rules name metrics of the networks that measuring is told of.
            let measuring = try Configuration.read(
                MeasureSettings(), section: [Section.measure.rawValue], file: file,
                overrides: overrides)
            _ = try Configuration.read(
                SelectSettings(networks: measuring.networkMetrics + measured), section: path,
                file: file, overrides: overrides)
        } else if path == [Section.train.rawValue] {
            _ = try TrainingSettings.read(file: file, overrides: overrides)
        } else {
            try type.check(path, file, overrides)
        }
    }
}

extension FeatureColumn {
    fileprivate static var settingsType: any DescribedSettings.Type { Settings.self }
}

extension DescribedSettings {
    fileprivate static func check(
        _ section: [String], _ file: String?, _ overrides: [String]
    ) throws {
        _ = try Configuration.read(Self(), section: section, file: file, overrides: overrides)
    }
}

import Dataset
import Foundation
import Settings
import Storage

/// A metric in one run of `loopy-evaluate`: the network that was found for it, or why there is none.
struct MetricInUse {
    /// What videos are measured as.
    enum Subject: String {
        case generated, reference
        /// A generated video together with its reference.
        case pair
    }

    let name: String
    let figures: [MetricFigure]
    /// Nil where the metric cannot be measured.
    let input: MetricInput?
    /// Why it cannot.
    let absence: String?
    /// The name of the network's file, and the SHA-256 of its bytes.
    let network: (file: String, digest: String)?
    fileprivate let record: MetricRecord

    /// - Throws: `LoopyError` for settings that name no network, and for a network that cannot be
    ///   loaded.
    init<Metric: EvaluationMetric>(
        _ type: Metric.Type, _ settings: MetricsSettings, threads: Int
    ) throws {
        let (file, absence) = try settings.network(of: type)
        let setup = MetricSetup(
            settings: settings.own(type), shared: settings.shared, networkFile: file,
            threads: threads)
        let metric = absence == nil ? try Metric(setup) : nil
        name = Metric.name
        figures = Metric.figures(setup, metric)
        input = metric?.input
        self.absence = absence
        network = try file.map {
            (file: ($0 as NSString).lastPathComponent, digest: try Digest.ofFile($0))
        }
        record = MetricRecord(version: Metric.version, settings: setup.settings)
    }

    func measures(_ subject: Subject) -> Bool {
        switch (input, subject) {
        case (nil, _): false
        case (.pairs, _): subject == .pair
        case (.pictures, .reference), (.face, .reference), (.mainFaces, .reference):
            figures.contains(where: \.isMeasuredOnReferences)
        case (.pictures, _), (.face, _), (.mainFaces, _): subject == .generated
        }
    }

    /// The names under which a video's own findings of this metric stand.
    var ownFigures: [String] { figures.filter { !$0.isOfPairs }.map(\.name) }

    /// The names under which its findings of a pair stand.
    var pairFigures: [String] { figures.filter(\.isOfPairs).map(\.name) }
}

/// What of a metric changes what it finds, beside its network.
private struct MetricRecord: Encodable {
    let version: Int
    let settings: any DescribedSettings

    private enum CodingKeys: CodingKey { case version, settings }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(version, forKey: .version)
        try container.encode(settings, forKey: .settings)
    }
}

/// The same of all metrics that measure a video.
private struct MeasurementRecord: Encodable {
    let shared: SharedMetricSettings
    let metrics: [String: MetricRecord]
}

extension Array where Element == MetricInUse {
    /// The digest of everything that what is found depends on.
    ///
    /// - Parameter inputs: the digests of the videos.
    func fingerprint(
        _ subject: MetricInUse.Subject, _ settings: MetricsSettings, inputs: [String: String]
    ) throws -> Fingerprint {
        let used = filter { $0.measures(subject) }
        return try Fingerprint(
            name: "evaluate " + subject.rawValue, version: VideoMeasurer.version,
            configuration: MeasurementRecord(
                shared: settings.shared,
                metrics: Dictionary(uniqueKeysWithValues: used.map { ($0.name, $0.record) })),
            files: Dictionary(
                uniqueKeysWithValues: used.compactMap { metric in
                    metric.network.map { (metric.name, $0.digest) }
                }),
            inputs: inputs)
    }
}

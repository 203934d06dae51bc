import Settings
import Testing

@testable import Evaluation

/// What follows from the list of metrics.
@Suite struct MetricListTests {
    @Test func namesAndFiguresAreGivenOnce() {
        let names = EvaluationMetrics.all.map { $0.name }
        #expect(Set(names).count == names.count)
        let figures = EvaluationMetrics.all.flatMap { $0.figureNames }
        #expect(Set(figures).count == figures.count)
        for figure in figures { #expect(EvaluationMetrics.help.contains(figure)) }
    }

    @Test func everyMetricHasItsSettings() throws {
        let settings = try Configuration.read(
            MetricsSettings(), section: ["evaluate"], file: nil,
            overrides: [
                "evaluate.iqa=none", "evaluate.iqa_side=96", "evaluate.picture_step=3",
                "evaluate.sync=none",
            ])
        #expect(settings.own(PictureQuality.self).iqaSide == 96)
        #expect(settings.own(Smoothness.self).smoothnessSide == 224)
        #expect(settings.shared.pictureStep == 3)
        let (file, absence) = try settings.network(of: LipSyncMetric.self)
        #expect(file == nil && absence == "no network: set evaluate.sync")
        #expect(try settings.network(of: HeadMotion.self).absence == nil)
    }

    @Test func whatAFigureDependsOnChangesTheFingerprint() throws {
        func digest(
            _ subject: MetricInUse.Subject, _ change: (inout MetricsSettings) -> Void = { _ in }
        ) throws -> String {
            var settings = try Configuration.read(
                MetricsSettings(), section: ["evaluate"], file: nil,
                overrides: ["evaluate.fid=none", "evaluate.fvd=none", "evaluate.sync=none"])
            change(&settings)
            let metrics = try EvaluationMetrics.all.map {
                try MetricInUse($0, settings, threads: 1)
            }
            return try metrics.fingerprint(subject, settings, inputs: ["video": "00"]).digest
        }
        #expect(try digest(.generated) == digest(.generated))
        #expect(try digest(.generated) != digest(.reference))
        #expect(try digest(.generated) != digest(.pair))
        #expect(try digest(.generated) != digest(.generated) { $0.shared.pictureStep = 2 })
    }
}

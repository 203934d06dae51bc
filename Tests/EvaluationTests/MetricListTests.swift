import Evaluation
import Settings
import Storage
import Testing

/// What follows from the list of metrics.
@Suite struct MetricListTests {
    @Test func namesAndFiguresAreGivenOnce() {
        let names = EvaluationMetrics.names, figures = EvaluationMetrics.figures
        #expect(names.count == 13)
        #expect(Set(names).count == names.count)
        #expect(Set(figures).count == figures.count)
        for figure in figures { #expect(EvaluationMetrics.help.contains(figure)) }
    }

    @Test func everyMetricHasItsSettings() throws {
        let settings = try Configuration.read(
            MetricsSettings(), section: ["evaluate"], file: nil,
            overrides: [
                "evaluate.iqa_side=96", "evaluate.picture_step=3", "evaluate.sync=none",
            ])
        let stored = try JSONValue(encoding: settings)
        #expect(stored["iqaSide"] == .integer(96))
        #expect(stored["smoothnessSide"] == .integer(224))
        #expect(stored["pictureStep"] == .integer(3))
        #expect(stored["sync"]?.string == "none")
        #expect(stored["fid"]?.string == "fid-inception")
        #expect(stored["efid"]?.string == "none")
    }
}

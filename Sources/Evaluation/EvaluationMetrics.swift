/// The metrics of `loopy-evaluate`.
public enum EvaluationMetrics {
    /// All of them, in the report's order.
    static let all: [any EvaluationMetric.Type] = [
        FrechetInceptionDistance.self, FrechetVideoDistance.self,
        FrechetExpressionDistance.self, LipSyncMetric.self, MouthSyncMetric.self,
        PictureQuality.self, Smoothness.self, HeadMotion.self, MouthCorrelation.self,
        PeakSignalToNoise.self, StructuralSimilarity.self, Grain.self, Drift.self,
    ]

    package static var names: [String] { all.map { $0.name } }

    /// The numbers that metrics give, as the report calls them.
    package static var figures: [String] { all.flatMap { $0.figureNames } }

    /// Help: a paragraph of the figures, what they measure, and which network they need.
    public static var help: String {
        all.map { type in
            let need =
                switch type.network {
                case .builtIn: ""
                case .published(let name): " Network: evaluate.\(type.name) (\(name))."
                case .chosen: " Network: evaluate.\(type.name) (none unless it is set)."
                }
            return type.figureNames.joined(separator: ", ") + ": " + type.summary + need
        }.joined(separator: "\n")
    }
}

extension EvaluationMetric {
    static var figureNames: [String] {
        let setup = MetricSetup(
            settings: Settings(), shared: SharedMetricSettings(), networkFile: nil, threads: 1)
        return figures(setup, nil).map(\.name)
    }
}

import Perception
import Settings

/// How well lips and sound fit, by Loopy's own network (`MouthSync`).
struct MouthSyncMetric: EvaluationMetric {
    static let name = "mouth_sync"
    static let summary =
        "The probability that lips and sound belong together, by Loopy's own network; and how far the sound is "
        + "off, in frames of 1/25 s."
    static let network = NetworkNeed.builtIn
    static let version = 2

    private let evaluation: MouthSyncEvaluation

    init(_ setup: MetricSetup<NoSettings>) throws {
        evaluation = try MouthSyncEvaluation(
            weights: EmbeddedNetwork.mouthSync.path, threads: setup.threads)
    }

    static func figures(_ setup: MetricSetup<NoSettings>, _ metric: Self?) -> [MetricFigure] {
        [
            MetricFigure(
                name: "mouth_sync", merging: .mean,
                protocolName: "probability within two frames of the found offset; mean of clips"),
            MetricFigure(
                name: "mouth_sync_offset", merging: .mean,
                protocolName: "distance of the found offset from 0, in frames; mean of clips"),
        ]
    }

    var input: MetricInput {
        .face { video in
            let found = try evaluation.report(video)
            return MetricFindings(values: [
                "mouth_sync": .init(value: found.confidence, frames: found.frames),
                "mouth_sync_offset": .init(value: abs(found.offset), frames: found.frames),
            ])
        }
    }
}

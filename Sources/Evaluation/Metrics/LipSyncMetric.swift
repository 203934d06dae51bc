import Settings

/// Sync-C and Sync-D (Chung and Zisserman 2016): how well lips and sound fit, by SyncNet.
struct LipSyncMetric: EvaluationMetric {
    static let name = "sync"
    static let summary = "SyncNet's confidence and distance of lips and sound."
    static let network = NetworkNeed.published("syncnet")
    static let version = 1

    private let evaluation: SyncEvaluation

    init(_ setup: MetricSetup<NoSettings>) throws {
        guard let file = setup.networkFile else { preconditionFailure("SyncNet is not here") }
        evaluation = try SyncEvaluation(weights: file, threads: setup.threads)
    }

    static func figures(_ setup: MetricSetup<NoSettings>, _ metric: Self?) -> [MetricFigure] {
        [("sync_c", "confidence"), ("sync_d", "distance")].map { figure, what in
            MetricFigure(
                name: figure, merging: .mean,
                protocolName:
                    "SyncNet's \(what), face-crop, zeros beyond the sound; mean of clips")
        }
    }

    var input: MetricInput {
        .face { video in
            let found = try evaluation.report(
                video.path, .faceCrop, probe: video.probe, face: video.face)
            return MetricFindings(values: [
                "sync_c": .init(value: found.score.confidence, frames: found.frames),
                "sync_d": .init(value: found.score.distance, frames: found.frames),
            ])
        }
    }
}

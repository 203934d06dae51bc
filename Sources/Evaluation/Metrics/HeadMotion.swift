import Perception
import Settings

/// Glo and Exp (Loopy, section 4.1): head-motion and expression variance, with and without the
/// camera's motion, and their distances from the references'.
struct HeadMotion: EvaluationMetric {
    static let name = "motion"
    static let summary =
        "variance of the head's motion and of its expression, the same without the camera's "
        + "motion, and the distance from the reference's."
    static let network = NetworkNeed.builtIn
    static let version = 1

    init(_ setup: MetricSetup<NoSettings>) {}

    static func figures(_ setup: MetricSetup<NoSettings>, _ metric: Self?) -> [MetricFigure] {
        let windows =
            "windows of 12 frames at 25 fps; over the side of a square picture, of the planned crop "
            + "otherwise; mean of windows, then of clips"
        let stabilised =
            "less the similarity motion of the background (phase correlation and Lucas-Kanade), "
            + "over the windows that show it"
        let figures: [(String, MetricFigure.Merging, String)] = [
            ("glo", .mean, "variance of the nose tip, camera motion included; " + windows),
            ("exp", .mean, "variance of 37 upper points about the nose tip; " + windows),
            ("glo_stabilised", .mean, "as glo; " + stabilised),
            ("exp_stabilised", .mean, "as exp; " + stabilised),
            (
                "dglo", .meanDifference(of: "glo"),
                "|glo of the clip - glo of its reference|; mean of clips"
            ),
            (
                "dexp", .meanDifference(of: "exp"),
                "|exp of the clip - exp of its reference|; mean of clips"
            ),
        ]
        return figures.map { MetricFigure(name: $0, merging: $1, protocolName: $2) }
    }

    var input: MetricInput { .face(measure) }

    private func measure(_ video: FaceVideo) throws -> MetricFindings {
        let motion = try MotionEvaluation.report(
            video.path, probe: video.probe, face: video.face, threads: video.threads)
        var findings = MetricFindings(values: [
            "glo": .init(value: motion.glo, frames: motion.frames),
            "exp": .init(value: motion.exp, frames: motion.frames),
        ])
        if let steady = motion.stabilised {
            let frames = min(motion.frames, steady.windows + MotionVariance.window - 1)
            findings.values["glo_stabilised"] = .init(value: steady.glo, frames: frames)
            findings.values["exp_stabilised"] = .init(value: steady.exp, frames: frames)
        } else {
            let reason = "shows too little behind the person to see the camera move"
            findings.absent = ["glo_stabilised": reason, "exp_stabilised": reason]
        }
        return findings
    }
}

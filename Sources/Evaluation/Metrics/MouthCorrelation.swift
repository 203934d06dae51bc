import Perception
import Settings
import Storage

/// Whether the mouth follows the speech: the correlation of the mouth's opening with that of a true
/// video of the same speech, and the same for shuffled speech.
struct MouthCorrelation: EvaluationMetric {
    static let name = "mouth"
    static let summary =
        "the share of frames in which a face is found; the correlation of the mouth's opening with the "
        + "reference's, the mean and the greatest of the same for shuffled speech, the probability "
        + "that shuffled speech is as good, and the frames by which the mouth is late."
    static let network = NetworkNeed.builtIn
    static let version = 1

    init(_ setup: MetricSetup<NoSettings>) {}

    static func figures(_ setup: MetricSetup<NoSettings>, _ metric: Self?) -> [MetricFigure] {
        let found = "FaceMesh, presence of at least \(MouthOpening.minimumPresence)"
        let opening =
            "distance of the inner lips over that from eyes to chin (\(found)), at 25 fps; clips "
            + "without their means, joined"
        let shuffled =
            "; with the references of other clips (\(CurveCorrelation.mostShuffles) orders of "
            + "\(CurveCorrelation.leastClips) clips or more), or else shifted in a circle by "
            + "\(CurveCorrelation.leastShift) frames or more"
        return [
            MetricFigure(
                name: "face_found", merging: .meanOfFrames,
                protocolName: "share of the frames at 25 fps; \(found)"),
            figure("mouth_r", "Pearson's r; " + opening) {
                ($0.r, $0.frames)
            },
            figure("mouth_r_shuffled", "mean of Pearson's r; " + opening + shuffled) {
                (try $0.shuffled().mean, $0.frames)
            },
            figure("mouth_r_shuffled_maximum", "greatest Pearson's r; " + opening + shuffled) {
                (try $0.shuffled().greatest, $0.frames)
            },
            figure(
                "mouth_p",
                "(k + 1) / (n + 1), where k of n shuffles have at least mouth_r; " + opening
                    + shuffled
            ) {
                (try $0.shuffled().p, $0.frames)
            },
            figure(
                "mouth_lag",
                "frames of 1/25 s by which the mouth is late, of at most "
                    + "\(CurveCorrelation.mostLag): those of the highest r; " + opening
            ) {
                (Double($0.lag()), $0.frames)
            },
        ]
    }

    /// A figure of the curves of pairs.
    private static func figure(
        _ name: String, _ protocolName: String,
        _ value: @escaping (CurveCorrelation) throws -> (Double, Int)
    ) -> MetricFigure {
        MetricFigure(
            name: name,
            merging: .ofPairedFeatures { pairs in
                let correlation = try CurveCorrelation(
                    pairs.map {
                        .init(
                            generated: curve(of: $0.generated), reference: curve(of: $0.reference))
                    })
                let (value, frames) = try value(correlation)
                return .init(value: value, frames: frames)
            }, protocolName: protocolName)
    }

    /// The features are the mouth's opening and whether a face is found, `[T, 2]`.
    var input: MetricInput {
        .mainFaces { faces in
            let curve = MouthOpening.curve(faces)
            var findings = MetricFindings()
            guard !curve.isEmpty else { return findings }
            let found = curve.count { $0 != nil }
            findings.values["face_found"] = .init(
                value: Double(found) / Double(curve.count), frames: curve.count)
            var rows = FeatureRows()
            for opening in curve { rows.append([Float(opening ?? 0), opening == nil ? 0 : 1]) }
            findings.set(Self.name, features: rows, frames: curve.count)
            return findings
        }
    }

    private static func curve(of features: NumPyArray) -> [Double?] {
        stride(from: 0, to: features.values.count, by: 2).map {
            features.values[$0 + 1] > 0 ? Double(features.values[$0]) : nil
        }
    }
}

import Perception
import Settings

/// IQA: a network's score of a picture's quality, of whichever network the settings name.
struct PictureQuality: EvaluationMetric {
    struct Settings: DescribedSettings {
        var iqaSide = 0

        static var settings: [Setting<Settings>] {
            [
                .number(
                    "iqa_side", \.iqaSide, in: 0...4096, unit: "pixels",
                    "The side to which pictures are brought for the network of IQA; 0 leaves them as they are."
                )
            ]
        }
    }

    static let name = "iqa"
    static let summary = "a network's score of pictures' quality."
    static let network = NetworkNeed.chosen
    static let version = 1

    private let quality: MetricNetwork
    private let side: Int
    private let step: Int

    init(_ setup: MetricSetup<Settings>) throws {
        quality = try setup.loadNetwork()
        side = setup.settings.iqaSide
        step = setup.shared.pictureStep
    }

    static func figures(_ setup: MetricSetup<Settings>, _ metric: Self?) -> [MetricFigure] {
        let side = setup.settings.iqaSide
        let size = side == 0 ? "at its own size" : "bilinear to \(side)x\(side)"
        return [
            MetricFigure(
                name: name, merging: .mean,
                protocolName: "\(setup.frames), RGB 0...1 \(size); mean of frames, then of clips")
        ]
    }

    var input: MetricInput {
        .pictures { [quality, side, step] in
            NetworkRows(Self.name, .scores, step: step) {
                PicturePreparation.unit($0, side: side)
            } run: {
                try quality.score($0[0])
            }
        }
    }
}

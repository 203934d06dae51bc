import Perception
import Settings
import Torch

/// A network's score of how smoothly a clip moves, of whichever network the settings name.
struct Smoothness: EvaluationMetric {
    struct Settings: DescribedSettings {
        var smoothnessSide = 224

        static var settings: [Setting<Settings>] {
            [
                .number(
                    "smoothness_side", \.smoothnessSide, in: 1...4096, unit: "pixels",
                    "The side to which pictures are brought for the network of smoothness.")
            ]
        }
    }

    static let name = "smoothness"
    static let summary = "a network's score of how smoothly clips of 16 frames move."
    static let network = NetworkNeed.chosen
    static let version = 1

    private let smoothness: MetricNetwork
    private let side: Int

    init(_ setup: MetricSetup<Settings>) throws {
        smoothness = try setup.loadNetwork()
        side = setup.settings.smoothnessSide
    }

    static func figures(_ setup: MetricSetup<Settings>, _ metric: Self?) -> [MetricFigure] {
        let side = setup.settings.smoothnessSide
        return [
            MetricFigure(
                name: name, merging: .mean,
                protocolName:
                    "consecutive clips of \(NetworkRows.clipFrames) frames at 25 fps, bilinear to "
                    + "\(side)x\(side), RGB 0...1; mean of clips, then of videos")
        ]
    }

    var input: MetricInput {
        .pictures { [smoothness, side] in
            NetworkRows(Self.name, .scores, clipLength: NetworkRows.clipFrames) {
                PicturePreparation.unit($0, side: side)[0]
            } run: {
                try smoothness.score(stacked($0, along: 1).unsqueezed(0))
            }
        }
    }
}

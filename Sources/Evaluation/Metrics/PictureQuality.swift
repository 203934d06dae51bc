/// IQA: a network's score of a picture's quality, of whichever network the settings name.
struct PictureQuality: EvaluationMetric {
    struct Settings: MetricSettings {
        /// The side to which pictures are brought for the network of IQA, in pixels; 0 leaves
        /// pictures as they are.
        var iqaSide = 0

        func validate() throws { try Self.check("iqa_side", iqaSide, isAtLeast: 0) }
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

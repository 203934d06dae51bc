import Perception
import Settings

/// FID (Heusel et al. 2017): the Fréchet distance of Inception's features of pictures.
struct FrechetInceptionDistance: EvaluationMetric {
    static let name = "fid"
    static let summary =
        "Fréchet distance of Inception's features of pictures from the references'."
    static let network = NetworkNeed.published("fid-inception")
    static let version = 1

    private let inception: MetricNetwork
    private let step: Int

    init(_ setup: MetricSetup<NoSettings>) throws {
        inception = try setup.loadNetwork()
        step = setup.shared.pictureStep
    }

    static func figures(_ setup: MetricSetup<NoSettings>, _ metric: Self?) -> [MetricFigure] {
        let input =
            metric?.inception.returnsFeatures == true
            ? "8-bit RGB at its own size, resized by the network (return_features=True)"
            : "RGB 0...1, bilinear to 299x299"
        return [.frechetDistance(name, "\(setup.frames), \(input)")]
    }

    /// The published Inception takes bytes at any size, and resizes as TensorFlow's did; others are
    /// given what pytorch-fid gives its own.
    var input: MetricInput {
        .pictures { [inception, step] in
            inception.returnsFeatures
                ? NetworkRows(Self.name, .features, step: step) {
                    $0.unsqueezed(0)
                } run: {
                    try inception($0[0], flags: ["return_features": true])
                }
                : NetworkRows(Self.name, .features, step: step) {
                    PicturePreparation.unit($0, side: 299)
                } run: {
                    try inception($0[0])
                }
        }
    }
}

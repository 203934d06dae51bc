import Perception
import Settings
import Torch

/// FVD (Unterthiner et al. 2018), as StyleGAN-V prepares frames: the Fréchet distance of I3D's
/// features of clips.
struct FrechetVideoDistance: EvaluationMetric {
    static let name = "fvd"
    static let summary =
        "Fréchet distance of I3D's features of clips of 16 frames from the references'."
    static let network = NetworkNeed.published("fvd-i3d")
    static let version = 1

    private let i3d: MetricNetwork

    init(_ setup: MetricSetup<NoSettings>) throws { i3d = try setup.loadNetwork() }

    static func figures(_ setup: MetricSetup<NoSettings>, _ metric: Self?) -> [MetricFigure] {
        let call =
            metric?.i3d.returnsFeatures == true
            ? " (rescale=False, resize=False, return_features=True)" : ""
        return [
            .frechetDistance(
                name,
                "consecutive clips of \(NetworkRows.clipFrames) frames at 25 fps, shorter side "
                    + "bilinear to 224, middle 224x224, RGB -1...1\(call)")
        ]
    }

    var input: MetricInput {
        let flags =
            i3d.returnsFeatures
            ? ["rescale": false, "resize": false, "return_features": true] : [:]
        return .pictures { [i3d] in
            NetworkRows(
                Self.name, .features, clipLength: NetworkRows.clipFrames,
                prepare: PicturePreparation.forI3D
            ) {
                try i3d(stacked($0, along: 1).unsqueezed(0), flags: flags)
            }
        }
    }
}

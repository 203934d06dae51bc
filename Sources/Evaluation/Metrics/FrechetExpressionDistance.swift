import Media
import Perception
import Settings
import Torch

/// E-FID: the Fréchet distance of a network's coefficients of the face's expression.
struct FrechetExpressionDistance: EvaluationMetric {
    struct Settings: DescribedSettings {
        var efidSide = 224

        static var settings: [Setting<Settings>] {
            [
                .number(
                    "efid_side", \.efidSide, in: 1...4096, unit: "pixels",
                    "The side to which pictures are brought for the network of E-FID.")
            ]
        }
    }

    static let name = "efid"
    static let summary =
        "Fréchet distance of coefficients of the face's expression from the references'."
    static let network = NetworkNeed.chosen
    static let version = 1
    /// The square around a face's box that the network sees, over the box's longer side.
    private static let faceScale = 1.5

    private let coefficients: MetricNetwork
    private let side: Int
    private let step: Int

    init(_ setup: MetricSetup<Settings>) throws {
        coefficients = try setup.loadNetwork()
        side = setup.settings.efidSide
        step = setup.shared.pictureStep
    }

    static func figures(_ setup: MetricSetup<Settings>, _ metric: Self?) -> [MetricFigure] {
        let side = setup.settings.efidSide
        return [
            .frechetDistance(
                name,
                "\(setup.frames), upright square of \(faceScale) times the face's box, bilinear "
                    + "to \(side)x\(side), RGB 0...1")
        ]
    }

    var input: MetricInput { .face(measure) }

    private func measure(_ video: FaceVideo) throws -> MetricFindings {
        let face = video.face
        let pictures = FramePrefetcher(
            try VideoReader(
                path: video.path, clock: video.probe.video.clock,
                range: face.start..<(face.start + face.moments.count), threads: video.threads))
        defer { pictures.cancel() }
        var features = FeatureRows()
        let rows = Tensor.empty([side, side, 3])
        while let picture = try pictures.next() {
            let moment = face.moments[picture.index - face.start]
            guard picture.index % step == 0, moment.isSeen else { continue }
            let region = FaceRegion(around: moment.box, angle: 0, scale: Self.faceScale)
            rows.withMutableElements(of: Float.self) {
                picture.frame.sample(
                    region.map(size: side), width: side, height: side, scale: 1 / 255, into: $0)
            }
            features.append(try coefficients(rows.permuted(2, 0, 1).unsqueezed(0).contiguous()))
        }
        var findings = MetricFindings()
        findings.set(Self.name, features: features, frames: features.count)
        return findings
    }
}

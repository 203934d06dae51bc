import Errors
import Settings
import Torch

/// Grain: the noise in flat parts of pictures, over the noise in the same parts of their references.
struct Grain: EvaluationMetric {
    static let name = "grain"
    static let summary =
        "noise in flat parts of pictures over that in their references, and the two in levels of 255."
    static let network = NetworkNeed.builtIn
    static let version = 1

    init(_ setup: MetricSetup<NoSettings>) {}

    static func figures(_ setup: MetricSetup<NoSettings>, _ metric: Self?) -> [MetricFigure] {
        let noise =
            "standard deviation about a plane, median of the squares of \(FlatBlocks.side) pixels "
            + "that are the flattest \(Int(FlatBlocks.share * 100)) % of the references, at least that "
            + "of rounding; mean of frames, then of clips"
        return [
            (name, "ratio of grain_level to grain_reference; mean of clips"),
            ("grain_level", noise), ("grain_reference", "the same of the references; " + noise),
        ].map { MetricFigure(name: $0, merging: .meanOfPairs, protocolName: $1) }
    }

    var input: MetricInput { .pairs { Measurement() } }

    private final class Measurement: PairMeasurement {
        private var blocks = FlatBlocks()
        private lazy var squares = blocks.flattest
        private var own: [Double] = []
        private var others: [Double] = []

        var looksAhead: Bool { true }

        func lookAhead(_ reference: Tensor) throws {
            if Self.isLargeEnough(reference) { blocks.add(reference) }
        }

        func see(_ picture: Tensor, _ reference: Tensor) throws {
            guard Self.isLargeEnough(picture) else {
                throw LoopyError(.unsuitable, "is smaller than a square of grain")
            }
            guard [picture.shape, reference.shape].allSatisfy({ $0 == blocks.shape }) else {
                throw LoopyError(
                    .unsuitable, "its pictures change their size, or its reference's do")
            }
            own.append(FlatBlocks.noise(of: picture, in: squares))
            others.append(FlatBlocks.noise(of: reference, in: squares))
        }

        private static func isLargeEnough(_ picture: Tensor) -> Bool {
            min(picture.length(1), picture.length(2)) >= FlatBlocks.side
        }

        func findings(frames: Int) -> MetricFindings {
            var findings = MetricFindings()
            findings.set("grain_level", mean: own, frames: own.count)
            findings.set("grain_reference", mean: others, frames: others.count)
            if let level = findings.values["grain_level"],
                let reference = findings.values["grain_reference"]
            {
                findings.values[Grain.name] = .init(
                    value: level.value / reference.value, frames: own.count)
            } else {
                findings.absent[Grain.name] = findings.absent["grain_level"]
            }
            return findings
        }
    }
}

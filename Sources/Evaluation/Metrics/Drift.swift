import Foundation
import Settings
import Torch

/// Drift: how far the last second of a video has gone from its first, in colour, contrast and sharpness.
struct Drift: EvaluationMetric {
    static let name = "drift"
    static let summary =
        "change of mean colour, contrast and sharpness from a video's first second to its last, in percent."
    static let network = NetworkNeed.builtIn
    static let version = 1
    /// The frames at either end that are compared.
    static let span = 25

    init(_ setup: MetricSetup<NoSettings>) {}

    static func figures(_ setup: MetricSetup<NoSettings>, _ metric: Self?) -> [MetricFigure] {
        let ends = "last \(span) frames against the first \(span) at 25 fps, %; mean of clips"
        return [
            ("drift_colour", "length of the change of mean RGB over the length of mean RGB; "),
            ("drift_contrast", "|change| of the standard deviation of luma; "),
            (
                "drift_sharpness",
                "|change| of mean |Laplacian| of luma over its standard deviation; "
            ),
        ].map { MetricFigure(name: $0, merging: .mean, protocolName: $1 + ends) }
    }

    var input: MetricInput { .pictures { Measurement() } }

    private final class Measurement: PictureMeasurement {
        private var first: [PictureLook] = []
        /// The last frames, in a circle.
        private var last: [PictureLook] = []

        func see(_ picture: Tensor, index: Int) {
            let look = PictureLook(picture)
            if first.count < Drift.span { first.append(look) }
            if last.count < Drift.span {
                last.append(look)
            } else {
                last[index % Drift.span] = look
            }
        }

        func findings(frames: Int) -> MetricFindings {
            guard frames >= 2 * Drift.span else {
                let reason = "has \(frames) frames, and \(2 * Drift.span) are needed"
                return MetricFindings(
                    absent: [
                        "drift_colour": reason, "drift_contrast": reason, "drift_sharpness": reason,
                    ])
            }
            let change = PictureLook.change(from: .mean(of: first), to: .mean(of: last))
            return MetricFindings(values: [
                "drift_colour": .init(value: change.colour, frames: 2 * Drift.span),
                "drift_contrast": .init(value: change.contrast, frames: 2 * Drift.span),
                "drift_sharpness": .init(value: change.sharpness, frames: 2 * Drift.span),
            ])
        }
    }
}

/// What a picture looks like as a whole.
package struct PictureLook {
    /// The mean of red, green and blue, 0...255.
    package var colour: [Double]
    /// The standard deviation of luma, in levels of 255.
    package var contrast: Double
    /// The mean |Laplacian| of luma over its standard deviation, as curation measures it on faces.
    package var sharpness: Double

    /// - Parameter picture: uint8 `[3, H, W]`.
    package init(_ picture: Tensor) {
        let values = picture.to(.float32)
        colour = values.mean([1, 2]).to(.float64).array(of: Double.self)
        let luma = values[0] * 0.299 + values[1] * 0.587 + values[2] * 0.114
        contrast = luma.variance([0, 1]).scalar.squareRoot()
        let (height, width) = (luma.length(0), luma.length(1))
        guard height > 2, width > 2 else {
            sharpness = 0
            return
        }
        let inner = luma[1..<(height - 1), 1..<(width - 1)]
        let across = luma[1..<(height - 1), 0..<(width - 2)] + luma[1..<(height - 1), 2..<width]
        let down = luma[0..<(height - 2), 1..<(width - 1)] + luma[2..<height, 1..<(width - 1)]
        // A picture of one colour has no detail.
        sharpness = (across + down - inner * 4.0).abs().mean().scalar / max(contrast, 1)
    }

    private init(colour: [Double], contrast: Double, sharpness: Double) {
        self.colour = colour
        self.contrast = contrast
        self.sharpness = sharpness
    }

    package static func mean(of looks: [PictureLook]) -> PictureLook {
        let count = Double(looks.count)
        return PictureLook(
            colour: (0..<3).map { channel in
                looks.reduce(0) { $0 + $1.colour[channel] } / count
            },
            contrast: looks.reduce(0) { $0 + $1.contrast } / count,
            sharpness: looks.reduce(0) { $0 + $1.sharpness } / count)
    }

    /// The change from one look to another, in percent of the first, without its sign.
    package static func change(
        from first: PictureLook, to last: PictureLook
    ) -> (colour: Double, contrast: Double, sharpness: Double) {
        func length(_ values: [Double]) -> Double {
            values.reduce(0) { $0 + $1 * $1 }.squareRoot()
        }
        // A level of 255 is the least that a file can hold.
        return (
            100 * length(zip(first.colour, last.colour).map { $1 - $0 })
                / max(length(first.colour), 1),
            100 * abs(last.contrast - first.contrast) / max(first.contrast, 1),
            100 * abs(last.sharpness - first.sharpness) / max(first.sharpness, 1e-3)
        )
    }
}

import Torch

/// A measurement that is fed with the pictures of a video and those of its reference.
protocol PairMeasurement: AnyObject {
    /// Whether the reference is shown alone first, from the first picture that is compared to the last.
    var looksAhead: Bool { get }

    /// - Parameter reference: uint8 `[3, H, W]`.
    func lookAhead(_ reference: Tensor) throws

    /// - Parameters: two pictures of the same index, uint8 `[3, H, W]` of one size.
    func see(_ picture: Tensor, _ reference: Tensor) throws

    /// Returns what was found, after the last of so many pictures.
    func findings(frames: Int) -> MetricFindings
}

/// The mean of a number that a picture and its reference have.
final class MeanOfPairs: PairMeasurement {
    private let figure: String
    private let compare: (Tensor, Tensor) throws -> Double
    private var values: [Double] = []

    init(_ figure: String, _ compare: @escaping (Tensor, Tensor) throws -> Double) {
        self.figure = figure
        self.compare = compare
    }

    var looksAhead: Bool { false }

    func lookAhead(_ reference: Tensor) {}

    func see(_ picture: Tensor, _ reference: Tensor) throws {
        values.append(try compare(picture, reference))
    }

    func findings(frames: Int) -> MetricFindings {
        var findings = MetricFindings()
        findings.set(figure, mean: values, frames: values.count)
        return findings
    }
}

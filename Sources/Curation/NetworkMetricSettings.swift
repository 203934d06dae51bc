import Foundation
import Media
import Perception
import Settings

/// A network of the user's whose number is a metric of candidates: `measure.networks.NAME`.
public struct NetworkMetricSettings: DescribedSettings, Equatable {
    /// What the network looks at or hears.
    public enum Input: String, Codable, Sendable, CaseIterable {
        /// Each face, eyes level, in a square 1.5 times its size: float32 `[1, 3, side, side]`.
        case face
        /// Whole pictures: float32 `[1, 3, side, side]`.
        case picture
        /// Whole pictures that follow one another: float32 `[1, 3, frames, side, side]`.
        case clip
        /// 16 kHz, -1...1: float32 `[1, samples]`.
        case sound
    }

    /// What of many numbers is the candidate's.
    public enum Pooling: String, Codable, Sendable, CaseIterable {
        case mean, minimum, maximum
    }

    public var file = ""
    public var input = Input.face
    public var pooling = Pooling.mean
    public var output = 0
    public var side = 224
    public var mean = [0.0, 0.0, 0.0]
    public var std = [1.0, 1.0, 1.0]
    public var picturesPerSecond = 1.0
    public var frames = 16
    public var seconds = 4.0

    public init() {}

    public static var settings: [Setting<NetworkMetricSettings>] {
        [
            .text(
                "file", \.file, "a file", mayBeEmpty: true,
                "The network: .onnx, or TorchScript (.pt). The network's number is a metric called NAME, "
                    + "and `select.rules.NAME` limits it."),
            .choice(
                "input", \.input,
                "What it gets: each face, eyes level, in a square 1.5 times its size; whole pictures; clips "
                    + "of pictures that follow one another, [1, 3, frames, side, side]; or sound, [1, samples] at 16 kHz."
            ),
            .choice(
                "pooling", \.pooling,
                "What of the numbers of one candidate is kept, and of those of its parts."),
            .number(
                "output", \.output, in: 0...1_000_000,
                "The index of the number that counts, of those that the network gives."),
            .number(
                "side", \.side, in: 0...4096, unit: "pixels",
                "The side to which faces and pictures are brought; 0 leaves whole pictures as they are."
            ),
            .list(
                "mean", \.mean, in: -1000...1000, count: 3...3,
                "What is subtracted from red, green and blue, which are 0 to 1."),
            .list(
                "std", \.std, in: 1e-6...1e6, count: 3...3,
                "What red, green and blue are divided by after that."),
            .number(
                "pictures_per_second", \.picturesPerSecond, in: 0.01...25, unit: "pictures/s",
                "The rate at which pictures are looked at; it is brought to a whole number of frames of 1/25 s."
            ),
            .number(
                "frames", \.frames, in: 2...256, unit: "pictures", "The pictures of a clip."),
            .number(
                "seconds", \.seconds, in: 0.04...600, unit: "s",
                "The time of sound that the network hears at once; what is left at the end is not heard."
            ),
        ]
    }

    public var conflict: String? {
        if file.isEmpty { return "file: is missing: name the network" }
        let ending = (file as NSString).pathExtension.lowercased()
        if !MetricNetwork.endings.contains(ending) {
            return "file: \(file) is neither .onnx nor TorchScript (.pt)"
        }
        if side == 0, input == .face || input == .clip {
            return "side: 0 is for whole pictures (input: picture)"
        }
        return nil
    }

    /// What identifies the settings beside the file.
    var withoutFile: NetworkMetricSettings {
        var copy = self
        copy.file = ""
        return copy
    }

    /// The frames from one picture that is looked at to the next.
    var step: Int {
        max(1, Int((Double(Grid.framesPerSecond) / picturesPerSecond).rounded()))
    }
}

extension Metric {
    /// The metric of a network that the user named.
    ///
    /// - Parameter pooling: also how the values of two stretches become one.
    public static func network(_ name: String, _ pooling: NetworkMetricSettings.Pooling = .mean)
        -> Metric
    {
        let merging: Merging =
            switch pooling {
            case .mean: .mean
            case .minimum: .least
            case .maximum: .greatest
            }
        return Metric(name, merging, "What the network of measure.networks.\(name) says.")
    }
}

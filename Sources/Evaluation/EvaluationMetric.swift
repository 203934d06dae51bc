import Media
import Perception
import Settings
import Storage
import Torch

/// A metric of `loopy-evaluate`: one type in a file of its own, and one entry in
/// `EvaluationMetrics.all`. The settings, the measuring, the parts on disk, the report and the help
/// follow from what the type says here.
protocol EvaluationMetric: SendableMetatype {
    /// The settings of this metric alone. They stand in the section `evaluate` beside all others, so
    /// their names begin with the metric's.
    associatedtype Settings: DescribedSettings = NoSettings

    /// The metric's name: `evaluate.NAME` sets its network, and its features are kept under it.
    static var name: String { get }
    /// One line of help: what is measured.
    static var summary: String { get }
    static var network: NetworkNeed { get }
    /// A number that is raised whenever the same settings measure something else.
    static var version: Int { get }

    /// The figures that the metric gives, in the report's order.
    ///
    /// - Parameter metric: nil where the network is not here.
    static func figures(_ setup: MetricSetup<Settings>, _ metric: Self?) -> [MetricFigure]

    /// - Precondition: the network that the metric needs is here.
    /// - Throws: `LoopyError` for a network that cannot be loaded.
    init(_ setup: MetricSetup<Settings>) throws

    /// What the metric looks at, and how it is called for it.
    var input: MetricInput { get }
}

/// The network that a metric needs.
enum NetworkNeed: Equatable {
    /// The metric needs none.
    case builtIn
    /// A network of Manifests/models.yaml, unless the settings name another.
    case published(String)
    /// A network that the settings have to name.
    case chosen
}

/// What a metric looks at.
enum MetricInput {
    /// Every picture on the 25 fps grid. All metrics of this kind share one pass over a video, each
    /// with a measurement of its own.
    case pictures(() -> any PictureMeasurement)
    /// The face that fills most of the video. The metric reads what it needs of the file.
    case face((FaceVideo) throws -> MetricFindings)
    /// The main face of every picture on the 25 fps grid, nil where none is seen. A video without a
    /// face is looked at, too.
    case mainFaces(([FollowedFace.Moment?]) -> MetricFindings)
    /// Pictures and their references' pictures. All metrics of this kind share one pass over the two
    /// videos, each with a measurement of its own.
    case pairs(() -> any PairMeasurement)

    /// A picture and its reference's picture of the same index, both uint8 `[3, H, W]` of one size:
    /// the figure is the mean of the numbers that are returned.
    static func meanOfPairs(
        _ figure: String,
        _ compare: @escaping (_ picture: Tensor, _ reference: Tensor) throws -> Double
    ) -> MetricInput {
        .pairs { MeanOfPairs(figure, compare) }
    }
}

/// One video's measurement that is fed with pictures.
protocol PictureMeasurement: AnyObject {
    /// - Parameters:
    ///   - picture: uint8 `[3, H, W]`.
    ///   - index: the picture's index on the 25 fps grid.
    func see(_ picture: Tensor, index: Int) throws

    /// Returns what was found, after the last of so many pictures.
    func findings(frames: Int) -> MetricFindings
}

/// What a metric found in one video.
struct MetricFindings {
    /// One number a figure.
    var values: [String: VideoPart.Value] = [:]
    /// Why a figure, or the features, are missing.
    var absent: [String: String] = [:]
    var features: FeatureRows?
    /// The frames that the features were computed from.
    var featureFrames = 0

    /// Adds the mean of values, or why there is none.
    mutating func set(_ figure: String, mean values: [Double], frames: Int) {
        let mean = values.reduce(0, +) / Double(values.count)
        if mean.isFinite {
            self.values[figure] = .init(value: mean, frames: frames)
        } else {
            absent[figure] = "its network gives no number for it"
        }
    }

    /// Adds features of one video, or why there are none.
    mutating func set(_ metric: String, features: FeatureRows, frames: Int) {
        guard features.areSound else {
            absent[metric] =
                "its features of \(metric) hold what is no number, or are none at all"
            return
        }
        (self.features, featureFrames) = (features, frames)
    }
}

/// The features of a generated video and those of its reference, `[N, C]` each.
struct FeaturePair {
    let generated: NumPyArray
    let reference: NumPyArray
}

/// A line of the report.
struct MetricFigure {
    /// How a figure comes of all videos.
    enum Merging {
        /// The mean of the generated videos' own numbers.
        case mean
        /// The mean of the generated videos' own numbers over their frames.
        case meanOfFrames
        /// The mean of the numbers that videos have together with their references.
        case meanOfPairs
        /// The mean distance of a video's own figure of this name from its reference's.
        case meanDifference(of: String)
        /// The Fréchet distance of the generated videos' features from the references'.
        case frechetDistance
        /// A number that generated videos' features have together with their references': of one
        /// pair, and of all pairs. `LoopyError` says why they have none.
        case ofPairedFeatures(([FeaturePair]) throws -> VideoPart.Value)
    }

    let name: String
    let merging: Merging
    /// How it is measured: values of different protocols cannot be compared.
    let protocolName: String

    var needsReference: Bool {
        switch merging {
        case .mean, .meanOfFrames: false
        case .meanOfPairs, .meanDifference, .frechetDistance, .ofPairedFeatures: true
        }
    }

    /// Whether a pair of videos has it, and no video alone.
    var isOfPairs: Bool {
        switch merging {
        case .meanOfPairs, .meanDifference, .ofPairedFeatures: true
        case .mean, .meanOfFrames, .frechetDistance: false
        }
    }

    /// Whether references are measured like generated videos for it.
    var isMeasuredOnReferences: Bool {
        switch merging {
        case .meanDifference, .frechetDistance, .ofPairedFeatures: true
        case .mean, .meanOfFrames, .meanOfPairs: false
        }
    }
}

/// What a metric is made from.
struct MetricSetup<Settings> {
    let settings: Settings
    let shared: SharedMetricSettings
    /// The file of the metric's network; nil where it is not here or none is needed.
    let networkFile: String?
    let threads: Int

    /// The metric's network: ONNX or TorchScript.
    func loadNetwork() throws -> MetricNetwork {
        guard let networkFile else { preconditionFailure("a metric without its network is made") }
        return try MetricNetwork(networkFile, device: shared.device, threads: threads)
    }

    /// "every frame at 25 fps", as protocols name the frames that are looked at.
    var frames: String {
        let step = shared.pictureStep
        return (step == 1 ? "every frame" : "one frame of \(step)") + " at 25 fps"
    }
}

extension MetricFigure {
    /// A Fréchet distance over features.
    static func frechetDistance(_ name: String, _ features: String) -> MetricFigure {
        MetricFigure(
            name: name, merging: .frechetDistance,
            protocolName: features + "; Fréchet distance, covariances divided by n - 1")
    }
}

import Errors
import Media
import Torch

/// Compares a video with its reference, picture by picture as far as both go, for all metrics that see
/// pairs.
///
/// A reference of another size and the same shape is brought to the video's size: what a model with
/// small pictures makes has references that were cut from the same sources as its training data.
struct PairComparison {
    private let path: String
    private let reference: String
    private let video: MediaProbe.Video
    private let referenceVideo: MediaProbe.Video
    private let threads: Int

    /// - Throws: `LoopyError` for a video that cannot be opened.
    init(_ path: String, with reference: String, threads: Int) throws {
        self.path = path
        self.reference = reference
        self.threads = threads
        video = try MediaProbe(path: path).video
        referenceVideo = try MediaProbe(path: reference).video
    }

    /// - Returns: what each metric found, in their order, and the frames that were compared.
    /// - Throws: `LoopyError` when a video cannot be decoded.
    func run(_ metrics: [MetricInUse]) throws -> VideoPart {
        let measurements = metrics.compactMap { metric in
            if case .pairs(let begin) = metric.input {
                (metric: metric, pairs: begin())
            } else {
                nil
            }
        }
        /// Why a metric has nothing to say, by its name.
        var reasons: [String: String] = [:]
        var frames = 0
        if haveOneShape {
            if measurements.contains(where: { $0.pairs.looksAhead }) {
                try lookAhead(measurements.map(\.pairs).filter(\.looksAhead))
            }
            let pictures = try Pictures(path, clock: video.clock, threads: threads)
            let references = try Pictures(reference, clock: referenceVideo.clock, threads: threads)
            defer {
                pictures.cancel()
                references.cancel()
            }
            while let picture = try pictures.next(), let wanted = try references.next() {
                frames += 1
                let sized = fitted(wanted)
                for (metric, pairs) in measurements where reasons[metric.name] == nil {
                    guard picture.shape == sized.shape else {
                        reasons[metric.name] = "changes its size, and its reference does not"
                        continue
                    }
                    do {
                        try pairs.see(picture, sized)
                    } catch let error as LoopyError where error.isLackOfVideo {
                        reasons[metric.name] = error.message
                    }
                }
            }
        } else {
            for (metric, _) in measurements {
                reasons[metric.name] =
                    "is \(video.width)x\(video.height) pixels large, and its reference, of another "
                    + "shape, \(referenceVideo.width)x\(referenceVideo.height)"
            }
        }
        var part = VideoPart(frames: frames)
        for (metric, pairs) in measurements {
            if let reason = reasons[metric.name] {
                for figure in metric.pairFigures { part.absent[figure] = reason }
                continue
            }
            let found = pairs.findings(frames: frames)
            part.values.merge(found.values) { first, _ in first }
            part.absent.merge(found.absent) { first, _ in first }
        }
        return part
    }

    /// Shows the reference alone, as far as the two will be compared.
    private func lookAhead(_ measurements: [any PairMeasurement]) throws {
        let references = try Pictures(reference, clock: referenceVideo.clock, threads: threads)
        defer { references.cancel() }
        var left = min(video.gridFrames, referenceVideo.gridFrames)
        while left > 0, let wanted = try references.next() {
            let sized = fitted(wanted)
            for measurement in measurements { try measurement.lookAhead(sized) }
            left -= 1
        }
    }

    /// Whether one picture is the other at another size, to half a pixel of the smaller one.
    private var haveOneShape: Bool {
        let (width, height) = (Double(video.width), Double(video.height))
        let scale = height / Double(referenceVideo.height)
        let difference = abs(Double(referenceVideo.width) * scale - width)
        return difference * min(1, 1 / scale) <= 0.5
    }

    /// A reference's picture at the size of the video's.
    private func fitted(_ picture: Tensor) -> Tensor {
        // A reference that changes its size on the way is no reference of one size.
        guard picture.shape == [3, referenceVideo.height, referenceVideo.width],
            picture.shape != [3, video.height, video.width]
        else { return picture }
        let sized = interpolate(
            picture.to(.float32).unsqueezed(0), size: [video.height, video.width], .linear,
            antialias: true)
        return (sized[0] + 0.5).floor().clamped(0, 255).to(.uint8)
    }
}

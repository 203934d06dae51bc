import Dataset
import Errors
import Media
import Perception
import Storage
import Torch

/// Measures one video at a time, and pairs of them, by all metrics of a run. It belongs to one thread.
final class VideoMeasurer {
    /// A number that is raised whenever the same metrics see something else of a video.
    static let version = 4

    private let metrics: [MetricInUse]
    private let threads: Int
    private let follower: FaceFollower

    /// - Throws: `LoopyError` when an embedded network is missing.
    init(_ metrics: [MetricInUse], threads: Int) throws {
        self.metrics = metrics
        self.threads = threads
        follower = try FaceFollower()
    }

    /// - Returns: the part, and features `[N, C]` by metric.
    /// - Throws: `LoopyError` when the video cannot be decoded, or a network fails.
    func measure(
        _ path: String, as subject: MetricInUse.Subject
    ) throws -> (part: VideoPart, features: [String: NumPyArray]) {
        let probe = try MediaProbe(path: path)
        let used = metrics.filter { $0.measures(subject) }
        var part = VideoPart(frames: probe.video.gridFrames)
        var features: [String: NumPyArray] = [:]
        for (metric, findings) in try showPictures(path, probe, to: used)
            + showFaces(path, probe, to: used)
        {
            part.values.merge(findings.values) { first, _ in first }
            part.absent.merge(findings.absent) { first, _ in first }
            if let rows = findings.features {
                part.features[metric.name] = findings.featureFrames
                features[metric.name] = rows.array
            }
        }
        return (part, features)
    }

    /// One pass over the pictures for all metrics that see pictures.
    private func showPictures(
        _ path: String, _ probe: MediaProbe, to metrics: [MetricInUse]
    ) throws -> [(MetricInUse, MetricFindings)] {
        let measurements = metrics.compactMap { metric in
            if case .pictures(let begin) = metric.input { (metric, begin()) } else { nil }
        }
        guard !measurements.isEmpty else { return [] }
        let pictures = try Pictures(path, clock: probe.video.clock, threads: threads)
        defer { pictures.cancel() }
        var frames = 0
        while let picture = try pictures.next() {
            for (_, measurement) in measurements { try measurement.see(picture, index: frames) }
            frames += 1
        }
        return measurements.map { ($0, $1.findings(frames: frames)) }
    }

    /// Follows the faces of the video once, for all metrics that see faces.
    private func showFaces(
        _ path: String, _ probe: MediaProbe, to metrics: [MetricInUse]
    ) throws -> [(MetricInUse, MetricFindings)] {
        let metrics = metrics.filter(\.looksAtFaces)
        guard !metrics.isEmpty else { return [] }
        let reader = try VideoReader(path: path, clock: probe.video.clock, threads: threads)
        let faces = try follower.faces(in: reader)
        return try metrics.map { metric in
            switch metric.input {
            case .mainFaces(let measure): return (metric, measure(faces.main))
            case .face(let measure):
                guard let face = faces.longest else {
                    return (metric, metric.absent("no face is seen in it"))
                }
                do {
                    let video = FaceVideo(path: path, probe: probe, face: face, threads: threads)
                    return (metric, try measure(video))
                } catch let error as LoopyError where error.isLackOfVideo {
                    return (metric, metric.absent(error.reason(without: path)))
                }
            case .pictures, .pairs, nil: return (metric, MetricFindings())
            }
        }
    }

    /// Compares a video with its reference for all metrics that see pairs.
    func compare(_ path: String, with reference: String) throws -> VideoPart {
        try PairComparison(path, with: reference, threads: threads).run(metrics)
    }
}

extension MetricInUse {
    fileprivate var looksAtFaces: Bool {
        switch input {
        case .face, .mainFaces: true
        case .pictures, .pairs, nil: false
        }
    }

    /// Findings of a video that lacks something.
    fileprivate func absent(_ reason: String) -> MetricFindings {
        MetricFindings(
            absent: .init(uniqueKeysWithValues: ownFigures.map { ($0, reason) }))
    }
}

extension LoopyError {
    /// Whether a video lacks what a metric needs, such as sound: that is said. A network that fails
    /// is a failure.
    var isLackOfVideo: Bool { category.concernsInput && category != .processing }

    /// The message without the file's name: a part is the same wherever its video lies.
    fileprivate func reason(without path: String) -> String {
        message.hasPrefix(path + ": ") ? String(message.dropFirst(path.count + 2)) : message
    }
}

import Errors
import Storage
import Torch

extension MetricsRun {
    /// The report of all that was measured.
    func report() throws -> MetricsReport {
        var report = MetricsReport()
        report.failures = failures
        report.generated = try generated.filter(\.isMeasured).map(clip)
        report.reference = reference.filter(\.isMeasured).map { MetricsReport.Clip($0) }
        for metric in metrics {
            report.figures += try metric.figures.map {
                try merged($0, of: metric, report.generated)
            }
        }
        return report
    }

    /// A generated video's own values, and those that it has together with its reference.
    private func clip(_ video: Video) throws -> MetricsReport.Clip {
        var clip = MetricsReport.Clip(video)
        let pair = pairs[video.name]
        if let pair { clip.add(pair.part) }
        for metric in metrics where metric.input != nil && hasReference {
            let features = try pair.flatMap { try self.features(metric.name, video, $0) }
            for figure in metric.figures where figure.isOfPairs {
                guard let pair else {
                    clip.absent[figure.name] = "there is no reference of its name that can be read"
                    continue
                }
                switch figure.merging {
                case .meanDifference(let other):
                    clip.addDifference(figure.name, of: other, to: pair.reference.part)
                case .ofPairedFeatures(let compute):
                    guard let features else { continue }
                    do {
                        let found = try compute([features])
                        clip.values[figure.name] = .init(value: found.value, frames: found.frames)
                    } catch let error as LoopyError where error.isLackOfVideo {
                        clip.absent[figure.name] = error.message
                    }
                case .mean, .meanOfFrames, .meanOfPairs, .frechetDistance: break
                }
            }
        }
        return clip
    }

    /// The features of a metric that a video and its reference have, if both have them.
    private func features(_ metric: String, _ video: Video, _ pair: Pair) throws -> FeaturePair? {
        guard video.part.features[metric] != nil, pair.reference.part.features[metric] != nil else {
            return nil
        }
        return FeaturePair(
            generated: try store.features(video.partName, metric),
            reference: try store.features(pair.reference.partName, metric))
    }

    /// One figure over all videos.
    private func merged(
        _ figure: MetricFigure, of metric: MetricInUse, _ clips: [MetricsReport.Clip]
    ) throws -> MetricsReport.Figure {
        var result = MetricsReport.Figure(
            name: figure.name, reason: metric.absence, protocolName: figure.protocolName,
            network: metric.network?.file, digest: metric.network?.digest)
        if figure.needsReference, !hasReference { result.reason = "no references: --reference" }
        guard result.reason == nil else { return result }
        switch figure.merging {
        case .frechetDistance: try setDistance(metric.name, in: &result)
        case .ofPairedFeatures(let compute): try setOfPairs(metric.name, in: &result, compute)
        case .meanOfFrames:
            let values = clips.compactMap { $0.values[figure.name] }
            result.clips = values.count
            result.frames = values.reduce(0) { $0 + $1.frames }
            if result.frames > 0 {
                result.value =
                    values.reduce(0) { $0 + $1.value * Double($1.frames) } / Double(result.frames)
            }
        case .mean, .meanOfPairs, .meanDifference:
            let values = clips.compactMap { $0.values[figure.name] }
            result.clips = values.count
            result.frames = values.reduce(0) { $0 + $1.frames }
            if !values.isEmpty {
                result.value = values.reduce(0) { $0 + $1.value } / Double(values.count)
            }
        }
        if result.value == nil {
            result.reason = result.reason ?? "none of the \(clips.count) videos has it"
        }
        return result
    }

    /// A number of the features of all pairs together.
    private func setOfPairs(
        _ metric: String, in figure: inout MetricsReport.Figure,
        _ compute: ([FeaturePair]) throws -> VideoPart.Value
    ) throws {
        let features = try generated.compactMap { video in
            try pairs[video.name].flatMap { try self.features(metric, video, $0) }
        }
        guard !features.isEmpty else { return }
        do {
            let found = try compute(features)
            (figure.value, figure.clips, figure.frames) = (
                found.value, features.count, found.frames
            )
        } catch let error as LoopyError where error.isLackOfVideo {
            figure.reason = error.message
        }
    }

    private func setDistance(_ metric: String, in figure: inout MetricsReport.Figure) throws {
        let (own, others) = (try statistics(metric, generated), try statistics(metric, reference))
        (figure.clips, figure.frames) = (own.clips, own.frames)
        (figure.referenceClips, figure.referenceFrames) = (others.clips, others.frames)
        guard let a = own.statistics, let b = others.statistics else { return }
        figure.value = a.frechetDistance(to: b)
        if figure.value == nil { figure.reason = "a covariance needs two samples on either side" }
    }

    /// The statistics over the features of all videos, one after the other.
    private func statistics(
        _ metric: String, _ videos: [Video]
    ) throws -> (statistics: FeatureStatistics?, clips: Int, frames: Int) {
        var result: FeatureStatistics?
        var clips = 0, frames = 0
        for video in videos {
            guard let measured = video.part.features[metric] else { continue }
            let array = try store.features(video.partName, metric)
            let features = Tensor(array.values, shape: array.shape)
            var statistics = result ?? FeatureStatistics(length: features.length(1))
            guard statistics.length == features.length(1) else {
                throw LoopyError(
                    .malformed,
                    "\(video.path): has \(features.length(1)) features of \(metric), and others "
                        + "\(statistics.length); is the network one of fixed output?")
            }
            statistics.add(features)
            result = statistics
            clips += 1
            frames += measured
        }
        return (result, clips, frames)
    }
}

extension MetricsReport.Clip {
    fileprivate init(_ video: MetricsRun.Video) {
        self.init(
            video: video.name, digest: video.digest, frames: video.part.frames, values: [:],
            absent: [:])
        add(video.part)
    }

    fileprivate mutating func add(_ part: VideoPart) {
        for (figure, value) in part.values {
            values[figure] = Value(value: value.value, frames: value.frames)
        }
        absent.merge(part.absent) { first, _ in first }
    }

    /// Adds the distance of a value from the reference's.
    fileprivate mutating func addDifference(
        _ name: String, of figure: String, to reference: VideoPart
    ) {
        if let own = values[figure], let other = reference.values[figure] {
            values[name] = Value(
                value: abs(own.value - other.value), frames: min(own.frames, other.frames))
        } else {
            absent[name] = absent[figure] ?? reference.absent[figure] ?? "is not measured"
        }
    }
}

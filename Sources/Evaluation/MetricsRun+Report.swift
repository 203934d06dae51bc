import Errors

extension MetricsRun {
    /// The report of all that was measured.
    func report() throws -> MetricsReport {
        var report = MetricsReport()
        report.failures = failures
        report.generated = generated.filter(\.isMeasured).map(clip)
        report.reference = reference.filter(\.isMeasured).map { MetricsReport.Clip($0) }
        for metric in metrics {
            report.figures += try metric.figures.map {
                try merged($0, of: metric, report.generated)
            }
        }
        return report
    }

    /// A generated video's own values, and those that it has together with its reference.
    private func clip(_ video: Video) -> MetricsReport.Clip {
        var clip = MetricsReport.Clip(video)
        let pair = pairs[video.name]
        if let pair { clip.add(pair.part) }
        for figure in metrics.flatMap(\.figures) where figure.isOfPairs && hasReference {
            guard let pair else {
                clip.absent[figure.name] = "there is no reference of its name that can be read"
                continue
            }
            if case .meanDifference(let other) = figure.merging {
                clip.addDifference(figure.name, of: other, to: pair.reference.part)
            }
        }
        return clip
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
            let features = try store.features(video.partName, metric)
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

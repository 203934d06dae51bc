import Dataset
import Media

/// A type that gives some of a candidate's metrics.
package protocol MetricSource: SendableMetatype {
    static var metrics: [Metric] { get }

    /// A number that is raised whenever the same candidate gets another value, so that candidates are
    /// measured anew.
    static var version: Int { get }
}

/// Measures a candidate by itself, when its stretch has been decoded.
package protocol MetricMeasurer: MetricSource {
    /// Nil where a network that it needs is not there: its metrics are then not measured.
    ///
    /// - Parameter networks: files of networks, by role.
    init?(networks: [String: String]) throws

    /// The values of this type's metrics; nil where they cannot be told.
    func values(of face: TrackedFace) throws -> MetricValues
}

/// What a measurer says of a candidate.
package struct MetricValues: ExpressibleByDictionaryLiteral {
    package var metrics: [Metric: Double?] = [:]
    /// Why values are missing.
    package var notes: [Metric: String] = [:]
    /// How likely each offset of the sound is (`MouthSyncScore.curve`).
    package var syncCurve: [Double]?

    package init(notes: [Metric: String] = [:]) { self.notes = notes }

    package init(_ metric: Metric, _ value: Double?, note: String? = nil) {
        metrics = [metric: value]
        notes = note.map { [metric: $0] } ?? [:]
    }

    package init(dictionaryLiteral elements: (Metric, Double?)...) {
        metrics = Dictionary(uniqueKeysWithValues: elements)
    }
}

/// Compares candidates of one source that are seen at the same time: those of a stretch when it is
/// measured, and all of them again when candidates of several stretches have been joined.
package protocol MetricComparer: MetricSource {
    /// The values of one of the faces.
    static func values(of index: Int, among faces: [SeenFace]) -> [Metric: Double?]
}

/// A candidate as it is compared: when it is seen, and what was measured of it by itself.
package typealias SeenFace = (frames: Range<Int>, metrics: Metrics)

/// A candidate while it is measured: a face that was followed, and what was heard meanwhile.
package struct TrackedFace {
    package let track: TrackRecorder
    /// What is heard in the stretch; nil without a sound track that can be decoded.
    package let sound: StretchSound?
    /// The pictures a second that the source states.
    package let framesPerSecond: Double?
    /// The source, for measurers that look at its pictures or listen to its sound once more; nil for a
    /// single picture.
    package let media: SourceMedia?

    package init(
        track: TrackRecorder, sound: StretchSound? = nil, framesPerSecond: Double? = nil,
        media: SourceMedia? = nil
    ) {
        (self.track, self.sound) = (track, sound)
        (self.framesPerSecond, self.media) = (framesPerSecond, media)
    }

    /// The frames in which the face is seen: where it is not, its row repeats the last one.
    var seen: [Int] { (0..<track.count).filter { track[$0, .presence] > 0 } }

    var frames: Range<Int> { track.start..<track.end }
}

/// What is heard at each frame of a stretch.
package struct StretchSound {
    /// The first frame of the stretch.
    let start: Int
    let isSpeech: [Bool]
    let isAudible: [Bool]
    /// 16 kHz, 640 for each frame.
    private let samples: [Float]
    private let words: FootageSound

    package init(
        start: Int = 0, isSpeech: [Bool], isAudible: [Bool], samples: [Float] = [],
        words: FootageSound = FootageSound(silentFrames: 0)
    ) {
        (self.start, self.isSpeech, self.isAudible) = (start, isSpeech, isAudible)
        (self.samples, self.words) = (samples, words)
    }

    /// The sound of some frames, counted from the stretch's first.
    func samples(of frames: Range<Int>) -> [Float] {
        let wanted =
            frames.lowerBound * Grid.samplesPerFrame..<frames.upperBound * Grid.samplesPerFrame
        return Array(samples[wanted.clamped(to: samples.indices)])
    }

    /// The words of some frames of the source; silence beyond the stretch.
    func words(of frames: Range<Int>) -> FootageSound {
        words.frames((frames.lowerBound - start)..<(frames.upperBound - start))
    }
}

/// All measurers that have what they need.
package struct MetricMeasurers {
    private let measurers: [any MetricMeasurer]
    private let watchers: [any PictureWatcher]

    /// - Parameters:
    ///   - networks: files of networks, by role.
    ///   - chosen: measurers of networks that the user named.
    package init(
        networks: [String: String] = [:], chosen: [any MetricMeasurer] = []
    ) throws {
        measurers =
            try Metric.sources.compactMap {
                try ($0 as? any MetricMeasurer.Type)?.init(networks: networks)
            } + chosen
        watchers = measurers.compactMap { $0 as? any PictureWatcher }
    }

    /// Begins a stretch: see `PictureWatcher`.
    package func start(after last: VideoFrame?) {
        for watcher in watchers { watcher.start(after: last) }
    }

    package func see(_ picture: SeenPicture) throws {
        for watcher in watchers { try watcher.see(picture) }
    }

    /// What is measured of a candidate: everything but what compares it with others.
    package func values(of face: TrackedFace) throws -> MetricValues {
        try measurers.reduce(into: MetricValues()) { all, measurer in
            let values = try measurer.values(of: face)
            all.metrics.merge(values.metrics) { $1 }
            all.notes.merge(values.notes) { $1 }
            all.syncCurve = values.syncCurve ?? all.syncCurve
        }
    }

    /// Every metric of a candidate but those that compare it with others.
    package func metrics(of face: TrackedFace) throws -> Metrics {
        var metrics = Metrics.unmeasured
        metrics.add(try values(of: face).metrics)
        return metrics
    }
}

private let comparers = Metric.sources.compactMap { $0 as? any MetricComparer.Type }

/// Adds the metrics that compare each candidate with those seen at the same time.
package func comparedFaces(_ faces: [SeenFace]) -> [Metrics] {
    faces.indices.map { index in
        comparers.reduce(into: faces[index].metrics) { $0.add($1.values(of: index, among: faces)) }
    }
}

extension [Double] {
    /// The mean; nil of nothing.
    var mean: Double? { isEmpty ? nil : reduce(0, +) / Double(count) }
}

import Dataset

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
    func values(of face: TrackedFace) throws -> [Metric: Double?]
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

    package init(start: Int = 0, isSpeech: [Bool], isAudible: [Bool]) {
        (self.start, self.isSpeech, self.isAudible) = (start, isSpeech, isAudible)
    }
}

/// All measurers that have what they need.
package struct MetricMeasurers {
    private let measurers: [any MetricMeasurer]

    /// - Parameter networks: files of networks, by role.
    package init(networks: [String: String] = [:]) throws {
        measurers = try Metric.sources.compactMap {
            try ($0 as? any MetricMeasurer.Type)?.init(networks: networks)
        }
    }

    /// Every metric of a candidate but those that compare it with others.
    package func metrics(of face: TrackedFace) throws -> Metrics {
        try measurers.reduce(into: Metrics.unmeasured) { try $0.add($1.values(of: face)) }
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

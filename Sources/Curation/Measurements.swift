import Dataset
import Errors
import Foundation
import Media
import Perception
import Storage
import Synchronization

/// The finished measurements of a dataset, read in the order of its sources.
final class Measurements {
    private let units: [WorkUnit]
    private let store: UnitStore
    /// The metrics of networks that the user named.
    let networkMetrics: [Metric]
    /// Indices of the units that hold stretches of a source.
    private var unitsOfSource: [Substring: [Int]] = [:]
    /// The lines of units that follow one another.
    private var loaded: (units: Range<Int>, lines: [Result<[Candidate], any Error>]) = (0..<0, [])
    /// The units that are read at once where one is asked for after the other: decoding them is what takes time.
    private static let readAhead = 8 * Processors.available
    private var archive: (unit: Int, reader: TarReader)?

    init(_ dataset: DatasetDirectory, sources: [Source]) throws {
        guard let measurements = try Catalogue.read(dataset).measurements else {
            throw LoopyError(.missing, "nothing is measured yet: run loopy-measure first")
        }
        store = UnitStore(dataset.measurementsFolder(measurements.fingerprint))
        knowsIdentities = measurements.networks[MeasureSettings.identityRole] != nil
        networkMetrics = measurements.metricsOfNetworks
        units = MeasurePlan(sources, unitSeconds: measurements.unitSeconds).units
        let missing = store.pending(units)
        guard missing.isEmpty else {
            throw LoopyError(
                .missing,
                "\(missing.count) of \(units.count) units are not measured: run loopy-measure again"
            )
        }
        for (index, unit) in units.enumerated() {
            for item in unit.items {
                let source = item.prefix { $0 != "-" }
                if unitsOfSource[source]?.last != index {
                    unitsOfSource[source, default: []].append(index)
                }
            }
        }
    }

    /// All lines of a source, in order of their starts.
    func lines(of source: Source) throws -> [StitchedCandidate.Part] {
        try (unitsOfSource[source.digest.prefix(16)] ?? []).flatMap { unit in
            try lines(ofUnit: unit)
                .filter { $0.source == source.digest }
                .map { StitchedCandidate.Part(candidate: $0, unit: unit) }
        }
    }

    private func lines(ofUnit unit: Int) throws -> [Candidate] {
        if !loaded.units.contains(unit) {
            let count = unit == loaded.units.upperBound ? Self.readAhead : 1
            let range = unit..<min(unit + count, units.count)
            loaded = (range, read(range))
        }
        return try loaded.lines[unit - loaded.units.lowerBound].get()
    }

    private func read(_ range: Range<Int>) -> [Result<[Candidate], any Error>] {
        let paths = range.map { store.file(units[$0], ".jsonl") }
        let results = Mutex(paths.map { _ in Result<[Candidate], any Error>.success([]) })
        DispatchQueue.concurrentPerform(iterations: paths.count) { index in
            let lines = Result { try JSONLines.read(Candidate.self, from: paths[index]) }
            results.withLock { $0[index] = lines }
        }
        return results.withLock { $0 }
    }

    /// The per-frame boxes of a candidate, its parts joined.
    func track(of candidate: StitchedCandidate) throws -> JoinedTrack {
        JoinedTrack(
            values: try candidate.parts.flatMap { part in
                try array(part.candidate.name + ".track.npy", unit: part.unit).values
            })
    }

    /// The key points of a candidate, its parts joined: `[T, 68, 3]`, x and y in pixels of the upright source.
    func keypoints(of candidate: StitchedCandidate) throws -> [Float] {
        try candidate.parts.flatMap { part in
            try array(part.candidate.name + ".keypoints.npy", unit: part.unit).values
        }
    }

    /// What a candidate sounds and looks like, its parts joined, to be compared with others.
    func footage(of candidate: StitchedCandidate) throws -> Footage {
        let parts = try candidate.parts.map { part in
            func values(_ member: String) throws -> NumPyArray {
                try array(part.candidate.name + member, unit: part.unit)
            }
            return Footage(
                start: part.candidate.start, sound: try values(Footage.soundMember),
                hashes: try values(Footage.picturesMember),
                track: try values(".track.npy"))
        }
        return Footage(joining: parts)
    }

    /// Whether it was measured who faces are.
    let knowsIdentities: Bool

    /// Who a candidate's face is, all its parts together; nil where no picture shows it well.
    func identity(of candidate: StitchedCandidate) throws -> FaceIdentity? {
        let arrays = try candidate.parts.map { part in
            try array(part.candidate.name + FaceIdentity.member, unit: part.unit)
        }
        return FaceIdentity(joining: arrays)
    }

    /// The 68 points of a decision's face in one frame; none where there was no face.
    func points(of decision: Decision, source: Source, at frame: Int) throws -> [Point] {
        // A stitched candidate has a part for each stretch; each part numbers its faces anew.
        let span = source.spans?.first { $0.name == decision.annotation }
        for candidate in Selector.candidates(try lines(of: source).within(span), self)
        where candidate.first.face == decision.face
            && candidate.frames.lowerBound <= decision.frames.lowerBound
        {
            return try points(of: candidate, at: frame)
        }
        return []
    }

    /// The 68 points of a candidate in one of its frames.
    func points(of candidate: StitchedCandidate, at frame: Int) throws -> [Point] {
        for part in candidate.parts where part.candidate.frames.contains(frame) {
            let values = try array(part.candidate.name + ".keypoints.npy", unit: part.unit).values
            let start = (frame - part.candidate.start) * IBUG68.count * 3
            return (0..<IBUG68.count).map {
                Point(Double(values[start + $0 * 3]), Double(values[start + $0 * 3 + 1]))
            }
        }
        return []
    }

    private func array(_ name: String, unit: Int) throws -> NumPyArray {
        if archive?.unit != unit {
            guard let record = store.record(units[unit]) else {
                throw LoopyError(
                    .missing, "unit \(units[unit].name) is not measured: run loopy-measure again")
            }
            let tracks = store.stem(units[unit]) + ".tracks.tar"
            archive = (unit, try store.archive(tracks, of: record))
        }
        let bytes = try archive!.reader.read(name)  // opened above
        return try NumPyArray(decoding: bytes, name: name)
    }
}

extension Catalogue.Measurements {
    /// The metrics of networks that the user named, in the order of their names.
    public var metricsOfNetworks: [Metric] {
        (networkMetrics ?? [:]).sorted { $0.key < $1.key }.map {
            Metric.network($0, NetworkMetricSettings.Pooling(rawValue: $1) ?? .mean)
        }
    }
}

extension [StitchedCandidate.Part] {
    /// The lines of an annotated span; all of them where there is none.
    func within(_ span: AnnotatedSpan?) -> [StitchedCandidate.Part] {
        guard let frames = span?.frames else { return self }
        // Stretches end where spans do: what begins in one lies in it.
        return filter { frames.contains($0.candidate.start) }
    }
}

/// The track of a whole candidate.
struct JoinedTrack {
    /// `[T, TrackColumn.count]`
    let values: [Float]

    /// The head in some frames, and the face's mean height there.
    func heads(_ frames: Range<Int>) -> (heads: [Box], faceHeight: Double) {
        let columns = TrackColumn.allCases.count
        func value(_ column: TrackColumn, _ frame: Int) -> Double {
            Double(values[frame * columns + column.rawValue])
        }
        let heads = frames.map { frame in
            Box(
                left: value(.headLeft, frame), top: value(.headTop, frame),
                right: value(.headRight, frame), bottom: value(.headBottom, frame))
        }
        let height = frames.reduce(0) { $0 + value(.faceBottom, $1) - value(.faceTop, $1) }
        return (heads, height / Double(max(1, frames.count)))
    }
}

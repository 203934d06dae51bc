import Dataset
import Errors
import Foundation
import Media
import Storage
import Synchronization

/// `loopy-measure`: sources to `measurements-…/NNNNN-….jsonl` and the tracks beside them.
public final class MeasureStage: UnitStage {
    /// A number that is raised whenever other candidates are found, or other tracks are written; each
    /// metric has a version of its own.
    private static let version = 6

    private let dataset: DatasetDirectory
    private let settings: MeasureSettings
    private let threads: Int
    private let plan: MeasurePlan
    private let store: UnitStore
    private let identity: Fingerprint
    private let networks: [String: String]
    private let networkDigests: [String: String]
    /// What stretches are measured with, as many at a time.
    private var measurers: [Measurer] = []

    public var units: [WorkUnit] { plan.units }

    public init(_ dataset: DatasetDirectory, settings: MeasureSettings, threads: Int) throws {
        self.dataset = dataset
        self.settings = settings
        self.threads = threads > 0 ? threads : Processors.available
        plan = MeasurePlan(try dataset.sources(), unitSeconds: settings.unitSeconds)
        networks = try settings.networkFiles()
        networkDigests = try networks.mapValues(Digest.ofFile)
        identity = try Fingerprint(
            name: "measure", version: Self.version,
            configuration: Identity(
                limits: settings.limits,
                keypoints: try settings.keypointNetworks().configuration,
                metrics: Metric.versions.merging(
                    settings.networks.mapValues { _ in NetworkMeasurer.version }
                ) { $1 },
                networks: settings.networks.mapValues(\.withoutFile)),
            files: networkDigests)
        store = UnitStore(dataset.measurementsFolder(identity))
    }

    /// The same stage, with measurers of its own.
    private init(_ other: MeasureStage, threads: Int) {
        (dataset, settings, self.threads) = (other.dataset, other.settings, threads)
        (plan, store, identity) = (other.plan, other.store, other.identity)
        (networks, networkDigests) = (other.networks, other.networkDigests)
    }

    /// What decides, beside the networks, what is measured.
    private struct Identity: Encodable {
        let limits: MediaLimits
        let keypoints: [String: String]
        /// The version of every metric.
        let metrics: [String: Int]
        /// The user's networks, whose files are known by what is in them.
        let networks: [String: NetworkMetricSettings]
    }

    public var fingerprint: Fingerprint? { identity }

    public func isFinished(_ unit: WorkUnit) -> Bool { store.isFinished(unit) }

    /// Measures one unit: as many stretches at a time as there are threads. One that cannot be measured becomes a
    /// failure; the others stand.
    ///
    /// - Parameters:
    ///   - skipping: stretches not to be tried, with the reason (a worker crashed on them).
    ///   - onItems: called with the names of the stretches that are being measured.
    public func build(
        _ unit: WorkUnit, skipping: [String: String], alone: Bool, onItems: ([String]) -> Void
    ) throws {
        let lines = try OutputFile(store.file(unit, ".jsonl"))
        let tracks = try OutputFile(store.file(unit, ".tracks.tar"))
        let archive = TarWriter(tracks)
        var frames: [Int] = []
        var failures: [Failure] = []
        let stretches = plan.stretches(of: unit)
        let tried = stretches.filter { skipping[$0.name] == nil }
        let measured = results(of: tried, by: try measurers(atMost: alone ? 1 : tried.count)) {
            inHand, _ in
            onItems(inHand.map(\.name))
        } _: { measurer, stretch in
            try measurer.measure(stretch)
        }
        let outcomes = Dictionary(
            zip(tried.map(\.name), measured), uniquingKeysWith: { first, _ in first })
        for stretch in stretches {
            func fail(_ reason: String, _ error: String) throws {
                failures.append(
                    Failure(
                        stage: "measure", path: stretch.source.path, reason: reason, error: error))
                var line = Candidate(
                    outcome: .undecodable, source: stretch.source.digest,
                    start: stretch.frames.lowerBound, end: stretch.frames.upperBound)
                line.metrics = .unmeasured(and: settings.networkMetrics)
                line.error = error
                try lines.write(JSONLines.line(line))
                frames.append(0)
            }
            guard let outcome = outcomes[stretch.name] else {
                try fail("crashed", skipping[stretch.name] ?? "")
                continue
            }
            do {
                let result = try outcome.get()
                if result.frames == 0, stretch.isFirst {
                    try fail("undecodable", "no picture of it can be decoded")
                    continue
                }
                try write(result, of: stretch, to: lines, archive)
                frames.append(result.frames)
            } catch let error as LoopyError where error.category.concernsInput {
                try fail(error.category.rawValue, error.message)
            }
        }
        try archive.finish()
        try store.commit(
            unit, files: [lines, tracks], items: unit.items, frames: frames, failures: failures)
    }

    /// Builds as many units at a time as there are threads, which share these.
    public func build(
        _ units: [WorkUnit], onChange: (_ built: Int, _ inHand: [String]) -> Void
    ) throws {
        let count = min(threads, units.count)
        let stages = (0..<count).map { _ in MeasureStage(self, threads: max(1, threads / count)) }
        let hasFailed = Mutex(false)
        let outcomes = results(of: units, by: stages) { inHand, done in
            onChange(done, inHand.map(\.name))
        } _: { stage, unit in
            // What cannot be written once cannot be written again.
            guard hasFailed.withLock({ !$0 }) else { return }
            do {
                try stage.build(unit)
            } catch {
                hasFailed.withLock { $0 = true }
                throw error
            }
        }
        for outcome in outcomes { try outcome.get() }
        onChange(units.count, [])
    }

    /// Measurers that share the threads.
    private func measurers(atMost most: Int) throws -> [Measurer] {
        let count = max(1, min(threads, most))
        if measurers.count != count {
            measurers = []
            let loading = (0..<count).map { _ in
                Background { [settings, networks, threads] in
                    try Measurer(settings, networks: networks, threads: max(1, threads / count))
                }
            }
            measurers = try loading.map { try $0.result().get() }
        }
        return measurers
    }

    private func write(
        _ result: StretchMeasurement, of stretch: Stretch, to lines: OutputFile,
        _ archive: TarWriter
    ) throws {
        if result.candidates.isEmpty, result.frames > 0 {
            let start = stretch.frames.lowerBound
            var line = Candidate(
                outcome: .noFace, source: stretch.source.digest, start: start,
                end: start + result.frames)
            line.metrics = .unmeasured(and: settings.networkMetrics)
            try lines.write(JSONLines.line(line))
        }
        for measured in result.candidates {
            try lines.write(JSONLines.line(measured.candidate))
            let (name, track) = (measured.candidate.name, measured.track)
            let columns = TrackColumn.allCases.count
            try archive.add(
                name + ".track.npy",
                NumPyArray(shape: [track.count, columns], values: track.rows).encoded())
            try archive.add(
                name + ".keypoints.npy",
                NumPyArray(shape: [track.count, 68, 3], values: track.points).encoded())
            try Footage.write(
                measured.sound, hashes: track.hashes, of: name, to: archive)
            if networks[MeasureSettings.identityRole] != nil {
                try FaceIdentity.write(track.embeddings, of: name, to: archive)
            }
        }
    }

    /// What is measured, when every unit is finished.
    public var summary: String {
        let sources = Set(units.flatMap { plan.stretches(of: $0) }.map(\.source.digest)).count
        return "\(counted(sources, "source")) measured, in \(counted(units.count, "unit"))"
    }

    /// When every unit is finished: units of former sources go, and the catalogue names these.
    public func finish() throws -> [Failure] {
        store.keepOnly(units)
        try Catalogue.update(dataset) { catalogue in
            catalogue.measurements = Catalogue.Measurements(
                fingerprint: identity, networks: networkDigests,
                unitSeconds: settings.unitSeconds,
                networkMetrics: settings.networks.isEmpty
                    ? nil : settings.networks.mapValues(\.pooling.rawValue))
        }
        return try dataset.collectFailures().filter { $0.stage == "measure" }
    }
}

import Curation
import Dataset
import Foundation
import Media
import Storage

/// Every clip that any limits could make of a dataset, as columns of numbers: what the page decides with.
///
/// As bytes: the length of the header (UInt32), the header as JSON, zeros up to a multiple of 8, and the
/// columns that the header names, one after another, each padded likewise. Numbers are little-endian.
public struct CandidateTable {
    /// What the rows are, without the metrics.
    public private(set) var clips: [SelectableClip] = []
    private let metrics: [Metric]
    /// Values by metric, row by row; NaN where nothing was measured.
    private var values: [[Double]]
    private let rules: Rules
    private let sources: [Source]
    private var shared = SharedFootage()
    /// Among so many clips copies of footage are looked for: it takes minutes for a million.
    private static let mostCompared = 100_000

    /// Reads the measurements of a dataset.
    ///
    /// - Parameter onSource: called with how many of the sources are read, of how many.
    /// - Throws: `LoopyError` when measurements are missing or not finished.
    public init(_ dataset: DatasetDirectory, onSource: (Int, Int) -> Void = { _, _ in }) throws {
        let catalogue = try Catalogue.read(dataset)
        let networks = catalogue.measurements?.metricsOfNetworks ?? []
        let defaults = SelectSettings(networks: networks)
        let settings =
            try catalogue.selection?.settings(or: defaults, of: "selection") ?? defaults
        rules = settings.rules
        metrics = Metric.all + networks
        values = metrics.map { _ in [] }
        sources = try dataset.sources()
        var last = -1
        let selector = Selector(dataset, settings: settings)
        try selector.selectableClips { clip in
            if clip.source != last {
                last = clip.source
                onSource(last + 1, sources.count)
            }
            for (index, metric) in metrics.enumerated() {
                values[index].append(clip.metrics[metric] ?? .nan)
            }
            var row = clip
            row.metrics = Metrics()
            clips.append(row)
        }
        if clips.count <= Self.mostCompared { shared = try selector.sharedFootage(of: clips) }
    }

    private struct Header: Encodable {
        struct Metric: Encodable {
            var name: String
            var unit: String
            var meaning: String
            /// The limits that the dataset was selected with.
            var minimum: Double?
            var maximum: Double?
            var defaults: Limits
            var edges: [Double]
        }

        struct Column: Encodable {
            var name: String
            var type: String
        }

        var rows: Int
        /// The names of the sources' files.
        var sources: [String]
        /// The metrics in the order in which their rules are applied.
        var metrics: [Metric]
        /// The words of obstacles, by their codes; the code 0 is none, and 1 is "no-audio".
        var obstacles: [String]
        var columns: [Column]
        var copies: Copies
    }

    /// `SharedFootage`, for the page.
    private struct Copies: Encodable {
        /// A clip's row, another's, and the first and the number of the frames that both show.
        var stretches: [[Int]]
        var order: [Int]
        var leastShare: Double
        /// Whether nobody looked for copies, for there are too many clips.
        var areUnknown: Bool
    }

    /// The rows, as the page reads them.
    public func encoded() throws -> [UInt8] {
        let headShares = clips.map(\.headShare)
        let scales = zip(metrics, values).map { metric, values in
            let limits = rules[metric]
            let isOfHeads = metric == .completeness
            // A crop is judged by the same rule, and shows all of the head where there is none.
            return MetricScale(
                Self.some(values) + (isOfHeads ? Self.some(headShares) : []),
                limits: [limits.minimum, limits.maximum, isOfHeads ? 1 : nil].compactMap { $0 })
        }
        let scaleOfHeads = metrics.firstIndex(of: .completeness).map { scales[$0] }
        var obstacles = ["", "no-audio"]
        let obstacleCodes = clips.map { clip -> UInt8 in
            guard case .always(let word)? = clip.obstacle else {
                return clip.obstacle == nil ? 0 : 1
            }
            if let index = obstacles.firstIndex(of: word) { return UInt8(index) }
            obstacles.append(word)
            return UInt8(obstacles.count - 1)
        }
        var columns: [(name: String, type: String, bytes: [UInt8])] = [
            ("source", "Uint32", Self.bytes(clips.map { UInt32($0.source) })),
            ("start", "Int32", Self.bytes(clips.map { Int32($0.frames.lowerBound) })),
            ("frames", "Uint32", Self.bytes(clips.map { UInt32($0.frames.count) })),
            ("obstacle", "Uint8", obstacleCodes),
            ("first", "Uint8", clips.map { $0.isFirst ? 1 : 0 }),
            (
                "headShare", "Uint16",
                Self.bytes(headShares.map { scaleOfHeads?.code($0) ?? MetricScale.unmeasured })
            ),
            ("twin", "Int32", Self.bytes(twins())),
        ]
        for (index, metric) in metrics.enumerated() {
            columns.append(
                (
                    metric.name, "Uint16",
                    Self.bytes(values[index].map { scales[index].code($0.isNaN ? nil : $0) })
                ))
        }
        let header = Header(
            rows: clips.count,
            sources: sources.map { RecordedPath($0.path).fileName },
            metrics: zip(metrics, scales).map { metric, scale in
                Header.Metric(
                    name: metric.name, unit: metric.unit, meaning: metric.meaning,
                    minimum: rules[metric].minimum, maximum: rules[metric].maximum,
                    defaults: metric.limits, edges: scale.edges)
            },
            obstacles: obstacles,
            columns: columns.map { Header.Column(name: $0.name, type: $0.type) },
            copies: Copies(
                stretches: shared.stretches.map {
                    [$0.clip, $0.other, $0.frames.lowerBound, $0.frames.count]
                }, order: shared.order, leastShare: SharedFootage.leastShare,
                areUnknown: clips.count > Self.mostCompared))
        let text = try JSONLines.document(header)
        var bytes = Self.bytes([UInt32(text.count)]) + text
        for column in columns {
            Self.pad(&bytes)
            bytes += column.bytes
        }
        Self.pad(&bytes)
        return bytes
    }

    /// The row before each that would be the same clip; -1 where there is none.
    private func twins() -> [Int32] {
        var rows: [String: Int32] = [:]
        return clips.enumerated().map { index, clip in
            guard let crop = clip.crop else { return -1 }
            let source = sources[clip.source].digest
            let place = Decision.place(source: source, frames: clip.frames, crop: crop)
            if let first = rows[place] { return first }
            rows[place] = Int32(index)
            return -1
        }
    }

    /// Ten thousand of the values at most, and the least and the greatest.
    private static func some(_ values: [Double]) -> [Double] {
        let measured = values.filter { !$0.isNaN }
        guard let least = measured.min(), let greatest = measured.max() else { return [] }
        let step = max(1, measured.count / 10_000)
        return stride(from: 0, to: measured.count, by: step).map { measured[$0] }
            + [least, greatest]
    }

    private static func bytes<Number: FixedWidthInteger>(_ numbers: [Number]) -> [UInt8] {
        numbers.map(\.littleEndian).withUnsafeBytes { Array($0) }
    }

    private static func pad(_ bytes: inout [UInt8]) {
        bytes += [UInt8](repeating: 0, count: (8 - bytes.count % 8) % 8)
    }
}

import Errors
import Foundation
import Storage

/// `dataset.json`: what the dataset holds and what made it. Every stage replaces its own part when
/// it is done, whole or not at all.
public struct Catalogue: Codable, Sendable, Equatable {
    public struct Measurements: Codable, Sendable, Equatable {
        public var fingerprint: Fingerprint
        /// Digests of the networks in use, by role.
        public var networks: [String: String]
        /// Seconds of work a unit, so that others plan the same units.
        public var unitSeconds: Double
        /// The metrics of networks that the user named, and what of many numbers each keeps; nil for none.
        public var networkMetrics: [String: String]?

        enum CodingKeys: String, CodingKey {
            case fingerprint, networks
            case unitSeconds = "unit_seconds"
            case networkMetrics = "network_metrics"
        }

        public init(
            fingerprint: Fingerprint, networks: [String: String], unitSeconds: Double,
            networkMetrics: [String: String]? = nil
        ) {
            self.fingerprint = fingerprint
            self.networks = networks
            self.unitSeconds = unitSeconds
            self.networkMetrics = networkMetrics
        }
    }

    public struct Column: Codable, Sendable, Equatable {
        public var fingerprint: Fingerprint
        public var folder: String
        /// The ending of its members' names: ".mp4".
        public var suffix: String
        /// Fingerprints of the columns that it is computed from.
        public var inputs: [String: String]
        public var networks: [String: String]
        /// What readers must know of the members, such as the side of pictures.
        public var facts: [String: Int]
        /// All settings that it was made with: `settings(or:)` gives them their type back.
        public var settings: JSONValue

        /// The settings that the column was made with.
        ///
        /// - Parameter defaults: what settings have that the version which made the column did not know.
        /// - Throws: `LoopyError` `.malformed` when they do not fit the type.
        public func settings<Settings: Codable>(or defaults: Settings) throws -> Settings {
            try self.settings.settings(or: defaults, of: folder)
        }
    }

    public struct Shard: Codable, Sendable, Equatable {
        public var name: String
        public var split: Decision.Split
        public var clips: Int
        public var frames: Int
        public var bytes: Int
        public var sha256: String

        public init(
            name: String, split: Decision.Split, clips: Int, frames: Int, bytes: Int,
            sha256: String
        ) {
            self.name = name
            self.split = split
            self.clips = clips
            self.frames = frames
            self.bytes = bytes
            self.sha256 = sha256
        }
    }

    public struct Counts: Codable, Sendable, Equatable {
        public var sources = 0
        public var candidates = 0
        public var accepted = 0
        /// Decisions by the rule that rejected.
        public var rejected: [String: Int] = [:]
        public var clips = 0
        public var frames = 0
        public var hours = 0.0

        public init() {}
    }

    public var format = 1
    public var measurements: Measurements?
    public var columns: [String: Column] = [:]
    /// The settings that the selection was made with: rules, clips, split. Nil where an earlier version made it.
    public var selection: JSONValue?
    /// Rules of the selection that could not be applied, because no network measured their value.
    public var rulesNotApplied: [String] = []
    public var counts = Counts()
    public var shards: [Shard] = []

    enum CodingKeys: String, CodingKey {
        case format, measurements, columns, selection, counts, shards
        case rulesNotApplied = "rules_not_applied"
    }

    public init() {}

    public static func read(_ dataset: DatasetDirectory) throws -> Catalogue {
        guard FileManager.default.fileExists(atPath: dataset.catalogueFile) else {
            return Catalogue()
        }
        return try JSONLines.readDocument(Catalogue.self, from: dataset.catalogueFile)
    }

    /// Reads, changes and replaces `dataset.json`, while no other process does.
    ///
    /// - Returns: what it holds now.
    @discardableResult
    public static func update(
        _ dataset: DatasetDirectory, _ change: (inout Catalogue) throws -> Void
    ) throws -> Catalogue {
        try FileLock.holding(dataset.lockFile) {
            var catalogue = try read(dataset)
            try change(&catalogue)
            try JSONLines.writeDocument(catalogue, to: dataset.catalogueFile)
            return catalogue
        }
    }

    /// The columns that `loopy-crop` makes, which no clip is without; others are computed from them.
    public static let croppedColumns = ["video", "audio"]

    /// The end of the names of a column's members in shards: features carry the column's name (`.motion.npy`),
    /// media are told apart by their type. Empty for a column that is not there.
    public func suffixInShards(of column: String) -> String {
        let suffix = columns[column]?.suffix ?? ""
        let isMedium = Self.croppedColumns.contains(column)
        return isMedium || suffix.isEmpty ? suffix : ".\(column)\(suffix)"
    }

    /// The column in use under a name.
    ///
    /// - Throws: `LoopyError` `.missing` that names the stage to run.
    public func column(_ name: String) throws -> Column {
        if let column = columns[name] { return column }
        let stage = Self.croppedColumns.contains(name) ? "loopy-crop" : "loopy-extract \(name)"
        throw LoopyError(.missing, "the dataset has no column '\(name)' yet: run \(stage) first")
    }
}

extension Catalogue.Column {
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        fingerprint = try values.decode(Fingerprint.self, forKey: .fingerprint)
        folder = try values.decode(String.self, forKey: .folder)
        suffix = try values.decode(String.self, forKey: .suffix)
        inputs = try values.decode([String: String].self, forKey: .inputs)
        networks = try values.decode([String: String].self, forKey: .networks)
        facts = try values.decode([String: Int].self, forKey: .facts)
        // Datasets that were made before there were settings have none.
        settings = try values.decodeIfPresent(JSONValue.self, forKey: .settings) ?? .object([:])
    }
}

extension DatasetDirectory {
    /// Writes `failures.jsonl` anew from the sources and from every unit's record, in a fixed order,
    /// and removes what killed processes left of the directory's own files.
    ///
    /// - Returns: how many there are.
    @discardableResult
    public func collectFailures() throws -> [Failure] {
        OutputFile.removeAbandoned(in: path)
        var failures = try sources().compactMap { source in
            source.reason.map {
                Failure(
                    stage: "ingest", path: source.path, reason: $0, error: source.error ?? "")
            }
        }
        for path in try recordFiles() {
            failures += try JSONLines.readDocument(UnitRecord.self, from: path).failures
        }
        try JSONLines.write(failures, to: failuresFile)
        return failures
    }

    /// Takes the units in which something failed for unfinished, so that they are tried again.
    public func forgetFailedUnits() throws {
        for path in try recordFiles() {
            let record = try JSONLines.readDocument(UnitRecord.self, from: path)
            if !record.failures.isEmpty { unlink(path) }
        }
    }

    /// The records of all units in use, in a fixed order: by stage, then by unit.
    private func recordFiles() throws -> [String] {
        let catalogue = try Catalogue.read(self)
        var folders: [String] = []
        if let measurements = catalogue.measurements {
            folders.append(measurementsFolder(measurements.fingerprint))
        }
        let order = Catalogue.croppedColumns
        let columns = catalogue.columns.sorted {
            (order.firstIndex(of: $0.key) ?? order.count, $0.key)
                < (order.firstIndex(of: $1.key) ?? order.count, $1.key)
        }
        folders += columns.map { path + "/" + $0.value.folder } + [shardsFolder]
        return folders.flatMap { folder in
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            return names.sorted().filter { $0.hasSuffix(".json") }.map { folder + "/" + $0 }
        }
    }
}

extension JSONValue {
    /// Settings as a catalogue holds them: keys in snake_case. Numbers have Foundation's form, which
    /// reading and writing again does not change.
    package init(settings: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        self = try JSONDecoder().decode(JSONValue.self, from: encoder.encode(settings))
    }

    /// The settings that `init(settings:)` made this of.
    ///
    /// - Parameters:
    ///   - defaults: for keys that are missing here.
    ///   - name: of what they are settings, for the error.
    public func settings<Settings: Codable>(
        or defaults: Settings, of name: String
    ) throws -> Settings {
        do {
            let stored = try JSONValue(settings: defaults).updated(with: self)
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(Settings.self, from: Data(stored.line))
        } catch {
            throw LoopyError(.malformed, "\(name): its settings cannot be understood (\(error))")
        }
    }
}

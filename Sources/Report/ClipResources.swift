import Curation
import Dataset
import Errors
import Foundation
import Media
import Storage
import Synchronization

/// The rows of the candidate table from near:
///
///     ROW.json      what was measured, and where it is
///     ROW.tracks    float32, `[T, TrackColumn.count]` and then the key points, `[T, 68, 2]`
///     ROW.jpg       its face
///     ROW.mp4       the whole pictures of the source, in the middle of black squares; ROW.flac their sound
///     ROW.cut.mp4   the clip as it was cut; ROW.cut.flac its sound
final class ClipResources: Sendable {
    let rows: [SelectableClip]
    private let dataset: DatasetDirectory
    private let catalogue: Catalogue
    private let units: [String: WorkUnit]
    private let readers: Readers
    private let kept = Mutex(KeptResources())

    private static let pictureSide = 168

    init(_ dataset: DatasetDirectory, _ catalogue: Catalogue, _ rows: [SelectableClip]) throws {
        self.rows = rows
        self.dataset = dataset
        self.catalogue = catalogue
        readers = try Readers(dataset)
        let isSelected = FileManager.default.fileExists(atPath: dataset.selectionFile)
        let plan = isSelected ? try ClipPlan(dataset).units : []
        units = Dictionary(
            plan.flatMap { unit in unit.items.map { ($0, unit) } },
            uniquingKeysWith: { first, _ in first })
    }

    func resource(_ name: String) throws -> Resource? {
        let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
        guard parts.count == 2, let row = Int(parts[0]), rows.indices.contains(row) else {
            return nil
        }
        if let resource = kept.withLock({ $0[name] }) { return resource }
        let clip = rows[row]
        let resource: Resource?
        switch parts[1] {
        case "cut.mp4": return try cut("video", clip, .mp4)
        case "cut.flac": return try cut("audio", clip, .flac)
        case "json":
            let isPacked = try cut("video", clip, .mp4) != nil
            resource = try readers.use { try .json(ClipDescription(clip, $0, isPacked)) }
        case "tracks":
            resource = try readers.use { try $0.tracks(clip) }.map {
                Resource(.bytes(Self.bytes($0.values + $0.points)), type: .binary)
            }
        case "jpg":
            resource = Resource(
                .bytes(try readers.use { try $0.picture(clip, side: Self.pictureSide) }),
                type: .jpeg)
        case "mp4":
            resource = Resource(.bytes(try readers.use { try $0.video(clip) }), type: .mp4)
        case "flac":
            resource = try readers.use { try $0.soundFile(clip) }.map {
                Resource(.bytes($0), type: .flac)
            }
        default: return nil
        }
        if let resource { kept.withLock { $0[name] = resource } }
        return resource
    }

    /// The bytes of a clip in a column's archive; nil where it is not there.
    private func cut(
        _ column: String, _ clip: SelectableClip, _ type: Resource.ContentType
    ) throws -> Resource? {
        guard let key = clip.key, let unit = units[key], catalogue.columns[column] != nil else {
            return nil
        }
        let reader = try ColumnReader(column, in: dataset, catalogue: catalogue)
        guard (try? reader.record(unit)) != nil else { return nil }
        let archive = try reader.archive(unit)
        let name = reader.memberName(key)
        guard archive.contains(name) else { return nil }
        return Resource(.file(archive.path, try archive.member(name).bytes), type: type)
    }

    private static func bytes(_ values: [Float]) -> [UInt8] {
        values.map(\.bitPattern.littleEndian).withUnsafeBytes { Array($0) }
    }
}

/// `ROW.json`.
private struct ClipDescription: Encodable {
    var path: String
    /// The size of the upright source, in pixels.
    var width: Int
    var height: Int
    /// The square that `ROW.mp4` shows.
    var shown: CropSquare
    var crop: CropSquare?
    var key: String?
    /// Whether `ROW.cut.mp4` is there.
    var isPacked: Bool
    var hasSound: Bool
    var metrics: Metrics
    var notes: [String: String]
    var syncCurve: [Double]?
    var trackColumns: [String]
    /// The root mean square of the sound in each frame, and whether somebody speaks.
    var loudness: [Float]?
    var isSpeech: [Bool]?

    private enum CodingKeys: String, CodingKey {
        case path, width, height, shown, crop, key, metrics, notes, loudness
        case isPacked = "is_packed"
        case hasSound = "has_sound"
        case syncCurve = "sync_curve"
        case trackColumns = "track_columns"
        case isSpeech = "is_speech"
    }

    init(_ clip: SelectableClip, _ details: ClipDetails, _ isPacked: Bool) throws {
        let source = details.sources[clip.source]
        path = source.path
        (width, height) = try details.size(of: clip) ?? (1, 1)
        shown = ClipDetails.wholePicture(width, height)
        (crop, key, self.isPacked) = (clip.crop, clip.key, isPacked)
        let measured = try details.measured(clip)
        metrics = measured?.metrics ?? Metrics()
        notes = measured?.notes ?? [:]
        syncCurve = measured?.syncCurve
        trackColumns = TrackColumn.allCases.map { "\($0)" }
        let sound = clip.frames.isEmpty ? nil : try details.sound(clip)
        hasSound = sound != nil
        loudness = sound?.loudness.map { ($0 * 1e4).rounded() / 1e4 }
        isSpeech = sound?.isSpeech
    }
}

/// Readers of a dataset: one serves one request at a time, and browsers ask for several things at once.
private final class Readers: Sendable {
    private let dataset: DatasetDirectory
    private let free: Mutex<[Reader]>

    /// Whoever takes a reader out of the list has it alone.
    private final class Reader: @unchecked Sendable {
        let details: ClipDetails
        init(_ details: ClipDetails) { self.details = details }
    }

    init(_ dataset: DatasetDirectory) throws {
        self.dataset = dataset
        free = Mutex([Reader(try ClipDetails(dataset))])
    }

    func use<Result>(_ body: (ClipDetails) throws -> Result) throws -> Result {
        let reader = try free.withLock { $0.popLast() } ?? Reader(ClipDetails(dataset))
        defer { free.withLock { $0.append(reader) } }
        return try body(reader.details)
    }
}

/// What was made last: browsers ask for videos in pieces, and for pictures again and again.
private struct KeptResources {
    private static let most = 64 << 20
    private var resources: [String: Resource] = [:]
    private var order: [String] = []
    private var size = 0

    subscript(name: String) -> Resource? {
        get { resources[name] }
        set {
            guard let newValue, case .bytes(let bytes) = newValue.content, resources[name] == nil
            else { return }
            resources[name] = newValue
            order.append(name)
            size += bytes.count
            while size > Self.most, order.count > 1 {
                if case .bytes(let bytes)? = resources.removeValue(forKey: order.removeFirst())?
                    .content
                {
                    size -= bytes.count
                }
            }
        }
    }
}

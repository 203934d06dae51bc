import Dataset
import Errors
import Foundation
import Storage

/// A clip of a dataset as the page plays it.
struct PlayedClip: Encodable {
    var video: String
    /// Its first picture.
    var poster: String?
    var sound: String?
    /// The side of its pictures, in pixels.
    var side: Int
    /// For each frame x and y of every key point, in pixels.
    var points: [[Int]]
    var file: String
    var start: Double
    var end: Double
    var split: Decision.Split?
}

/// Takes clips out of a dataset's archives and lays them beside a page.
struct ClipPlayers {
    private let dataset: DatasetDirectory
    private let catalogue: Catalogue
    private let plan: ClipPlan
    private let folder: String

    /// - Parameter folder: where the clips are laid; clips that lie there already are removed.
    init(
        _ dataset: DatasetDirectory, _ catalogue: Catalogue, _ selection: [Decision],
        in folder: String
    ) {
        self.dataset = dataset
        self.catalogue = catalogue
        self.folder = folder
        plan = ClipPlan(selection)
    }

    /// Writes clips at equal distances in the order of the selection.
    ///
    /// - Parameter most: the number of clips, of which those are left out that have no video.
    /// - Returns: the clips, files named by their paths.
    /// - Throws: `LoopyError` for a column that is damaged, or `.output`.
    func write(most: Int) throws -> [PlayedClip] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        for file in files where [".mp4", ".flac", ".png"].contains(where: file.hasSuffix) {
            try? FileManager.default.removeItem(atPath: folder + "/" + file)
        }
        guard catalogue.columns["video"] != nil else { return [] }
        let all = plan.units.flatMap { unit in unit.items.map { (unit: unit, key: $0) } }
        let count = min(most, all.count)
        return try (0..<count).map { all[$0 * all.count / count] }.compactMap { unit, key in
            try clip(key, unit)
        }
    }

    private func clip(_ key: String, _ unit: WorkUnit) throws -> PlayedClip? {
        guard let decision = plan.clips[key], let bytes = try member("video", key, unit) else {
            return nil
        }
        let stem = folder + "/" + key
        try OutputFile.write(bytes, to: stem + ".mp4")
        let sound = try member("audio", key, unit)
        if let sound { try OutputFile.write(sound, to: stem + ".flac") }
        let keypoints = try member("keypoints", key, unit).map {
            try NumPyArray(decoding: $0, name: key)
        }
        return PlayedClip(
            video: stem + ".mp4",
            poster: try Poster.write(of: stem + ".mp4", frame: 0, to: stem + ".png"),
            sound: sound.map { _ in stem + ".flac" },
            side: catalogue.columns["keypoints"]?.facts["side"] ?? 0,
            points: keypoints.map(Self.points) ?? [],
            file: (decision.path as NSString).lastPathComponent, start: decision.start,
            end: decision.end, split: decision.split)
    }

    /// The bytes of a clip's member; nil where the column, its unit or the member is not there yet.
    private func member(_ column: String, _ key: String, _ unit: WorkUnit) throws -> [UInt8]? {
        guard catalogue.columns[column] != nil else { return nil }
        let reader = try ColumnReader(column, in: dataset, catalogue: catalogue)
        guard (try? reader.record(unit)) != nil else { return nil }
        let archive = try reader.archive(unit)
        let name = reader.memberName(key)
        return archive.contains(name) ? try archive.read(name) : nil
    }

    /// - Parameter keypoints: `[T, N, 3]`.
    private static func points(_ keypoints: NumPyArray) -> [[Int]] {
        let row = keypoints.shape.dropFirst().reduce(1, *)
        return stride(from: 0, to: keypoints.values.count, by: row).map { start in
            stride(from: start, to: start + row, by: 3).flatMap { point in
                keypoints.values[point..<(point + 2)].map { Int($0.rounded()) }
            }
        }
    }
}

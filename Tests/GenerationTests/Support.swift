import Curation
import Dataset
import Features
import Foundation
import Media
import Storage
import TestSupport
import Testing
import Training

/// Files that lie beside the package's sources.
enum Place {
    static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    /// A small wav2vec 2.0 with random weights.
    static let network = package + "/Tests/SpeechTests/Fixtures/base"
}

/// A dataset of one clip, the whole of one source: made by the stages as far as a test needs them.
struct OneClip {
    static let key = "0123456789abcdef"

    let dataset: DatasetDirectory
    let frames: Int

    /// - Parameters:
    ///   - folder: where the dataset is made.
    ///   - source: a video with sound.
    init(
        _ folder: String, source path: String, frames: Int, crop: CropSquare, audioDelay: Int? = nil
    ) throws {
        dataset = DatasetDirectory(folder)
        self.frames = frames
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path)).count
        var source = Source(digest: "5", path: path, bytes: bytes, modified: 1)
        source.probe = try MediaProbe(path: path)
        var decision = Decision(source: "5", path: path, start: 0, end: frames, decision: .accept)
        decision.key = Self.key
        decision.shard = "train-00000"
        decision.crop = crop
        decision.audioDelay = audioDelay
        try JSONLines.write([source], to: dataset.sourcesFile)
        try JSONLines.write([decision], to: dataset.selectionFile)
    }

    func crop(side: Int) throws {
        var settings = CropSettings()
        settings.video.size = side
        settings.video.preset = "ultrafast"
        try make(CropStage(dataset, settings: settings, threads: 1))
    }

    func extract<Column: FeatureColumn>(_: Column.Type, _ settings: Column.Settings) throws {
        try make(ExtractStage<Column>(dataset, settings: settings, threads: 1))
    }

    /// The bytes of the clip's member of a column.
    func member(_ column: String) throws -> [UInt8] {
        let reader = try ColumnReader(column, in: dataset, catalogue: .read(dataset))
        return try reader.archive(ClipPlan(dataset.selection()).units[0])
            .read(reader.memberName(Self.key))
    }

    /// Writes a column of numbers.
    func write(_ name: String, _ rows: Int, _ shape: [Int], facts: [String: Int] = [:]) throws {
        let array = NumPyArray(
            shape: [rows] + shape,
            values: (0..<(rows * shape.reduce(1, *))).map { Float($0 % 97) / 97 })
        let units = ClipPlan(try dataset.selection()).units
        let writer = try ColumnWriter(
            name, suffix: ".npy",
            ColumnIdentity(version: 1, configuration: [String: Int](), facts: facts),
            settings: [String: Int](), dataset: dataset, units: units)
        for unit in units {
            try writer.build(unit) { _ in ColumnMember(bytes: array.encoded(), frames: frames) }
        }
        try writer.finish()
    }

    /// Packs the clip, and draws windows of it.
    func windows(_ count: Int) throws -> [ClipWindow] {
        try make(Packer(dataset, settings: PackSettings()))
        var settings = WindowSettings()
        (settings.windowsPerClip, settings.shuffle) = (count, count)
        let stream = try WindowStream(
            shards: WindowStream.shards(in: dataset.shardsFolder, split: "train"),
            settings: settings)
        return try (0..<count).map { _ in try stream.next() }
    }

    private func make(_ stage: some UnitStage) throws {
        for unit in stage.pending() { try stage.build(unit) }
        try #require(stage.finish() == [])
    }
}

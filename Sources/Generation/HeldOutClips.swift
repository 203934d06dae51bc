import Dataset
import Errors
import Foundation
import Media
import Storage

/// Clips of a dataset that its models are not trained on, as files: what a model is asked to make again, and
/// what comes of it.
///
///     FOLDER/true/KEY.mp4         a clip's pictures
///     FOLDER/sound/KEY.flac       its sound
///     FOLDER/generated/KEY.mp4    the video that a model makes of its first picture and its sound
///
/// `loopy-evaluate --generated FOLDER/generated --reference FOLDER/true` compares them.
public struct HeldOutClips {
    public let keys: [String]
    /// The square that the clips show: all of it.
    public let square: CropSquare
    private let folder: String

    /// Writes clips of the validation split, in the order of the dataset, and removes those of an earlier
    /// dataset from the folder.
    ///
    /// - Parameters:
    ///   - seconds: the time of all clips together, about; a clip is not cut.
    /// - Throws: `LoopyError` `.missing` where no clip is held out; what writing throws.
    public init(_ dataset: DatasetDirectory, seconds: Double, to folder: String) throws {
        self.folder = folder
        let catalogue = try Catalogue.read(dataset)
        let video = try ColumnReader("video", in: dataset, catalogue: catalogue)
        let audio = try ColumnReader("audio", in: dataset, catalogue: catalogue)
        square = CropSquare(x: 0, y: 0, side: video.column.facts["side"] ?? VideoEncoding().size)
        let plan = try ClipPlan(dataset)
        var keys: [String] = [], time = 0.0
        for unit in plan.units where time < seconds {
            let items = Set(try video.record(unit).items).intersection(try audio.record(unit).items)
            for key in unit.items where time < seconds && items.contains(key) {
                guard let clip = plan.clips[key], clip.split == .val else { continue }
                try Self.copy(key, video, unit, to: "\(folder)/true/\(key).mp4")
                try Self.copy(key, audio, unit, to: "\(folder)/sound/\(key).flac")
                time += clip.end - clip.start
                keys.append(key)
            }
        }
        guard !keys.isEmpty else {
            throw LoopyError(
                .missing, "holds no clips of the split val; set select.split.val, and run again",
                path: dataset.path)
        }
        self.keys = keys
        removeFormer()
    }

    /// Removes files of clips that were held out before and are not any more: nothing but what has the name
    /// of a clip.
    private func removeFormer() {
        let manager = FileManager.default
        for part in ["true", "sound", "generated"] {
            for name in (try? manager.contentsOfDirectory(atPath: folder + "/" + part)) ?? [] {
                let stem = String(name.prefix { $0 != "." })
                let isKey = stem.count == 16 && stem.allSatisfy(\.isHexDigit)
                guard isKey, !keys.contains(stem) else { continue }
                try? manager.removeItem(atPath: "\(folder)/\(part)/\(name)")
            }
        }
    }

    private static func copy(
        _ key: String, _ column: ColumnReader, _ unit: WorkUnit, to path: String
    ) throws {
        try OutputFile.makeFolder((path as NSString).deletingLastPathComponent)
        try OutputFile.write(
            column.archive(unit).read(column.memberName(key)), to: path)
    }

    public func pictures(_ key: String) -> String { "\(folder)/true/\(key).mp4" }
    public func sound(_ key: String) -> String { "\(folder)/sound/\(key).flac" }
    public func generated(_ key: String) -> String { "\(folder)/generated/\(key).mp4" }
}

import Dataset
import Diffusion
import Errors
import Foundation
import Media
import Storage
import Torch

/// A patch codec of a dataset's own: fitted on some of its pictures when it is first wanted, and then
/// kept in `codecs/`, so that clips that come later are coded alike.
struct CodecFitting {
    /// Of the codec's file.
    let path: String

    /// Clips that are looked at, at most, and pictures, about.
    private static let clips = 256
    private static let pictures = 512

    /// - Throws: `LoopyError` `.configuration` outside of a dataset; `.missing` where it has no clips
    ///   yet; `LoopyError` for settings that make no codec.
    init(_ settings: LatentsSettings, _ dataset: DatasetDirectory?, threads: Int) throws {
        guard let dataset else {
            throw LoopyError(
                .configuration,
                "extract.latents.weights: codec patch-pca is fitted on a dataset's pictures; for a single "
                    + "file give the codec's file, DATASET/codecs/….safetensors")
        }
        let catalogue = try Catalogue.read(dataset)
        let video = try ColumnReader("video", in: dataset, catalogue: catalogue)
        let fingerprint = try Fingerprint(
            name: "patch-pca", version: 1,
            configuration: [
                "side": settings.side, "patch": settings.patch, "channels": settings.channels,
            ], files: [:], inputs: ["video": video.column.fingerprint.digest])
        path = "\(dataset.path)/codecs/patch-pca-\(fingerprint.short).safetensors"
        guard !FileManager.default.fileExists(atPath: path) else { return }
        let codec = try Self.fit(settings, dataset, video, threads: threads)
        let file = try OutputFile(path)
        try codec.write { try file.write([UInt8]($0)) }
        try file.commit()
    }

    private static func fit(
        _ settings: LatentsSettings, _ dataset: DatasetDirectory, _ video: ColumnReader,
        threads: Int
    ) throws -> PatchPCA {
        guard settings.patch > 0, settings.side >= 0 else {
            throw LoopyError(
                .configuration, "extract.latents: patch must be 1 or more, side 0 or more")
        }
        var places: [(WorkUnit, key: String, frames: Int)] = []
        for unit in ClipPlan(try dataset.selection()).units {
            guard let record = try? video.record(unit) else { continue }
            places += zip(record.items, record.frames).map { (unit, $0, $1) }
        }
        guard !places.isEmpty else {
            throw LoopyError(
                .missing, "\(dataset.path): has no clips to fit a codec on: run loopy-crop first")
        }
        let count = min(clips, places.count)
        let picturesPerClip = Self.pictures / count
        var statistics = PatchStatistics(size: settings.patch)
        var kept: [Tensor] = []
        for index in 0..<count {
            let (unit, key, frames) = places[index * places.count / count]
            let archive = try video.archive(unit)
            let member = try archive.member(video.memberName(key))
            let pictures = Pictures(
                FileSlice(path: archive.path, bytes: member.bytes), side: settings.side,
                threads: threads)
            let chosen = min(frames, picturesPerClip)
            for part in 0..<chosen {
                let frame = (2 * part + 1) * frames / (2 * chosen)
                try pictures.forEach(frame..<(frame + 1)) { picture in
                    guard picture.length(2) % settings.patch == 0 else {
                        throw LoopyError(
                            .configuration,
                            "extract.latents.patch: \(settings.patch) does not divide pictures of "
                                + "\(picture.length(2)) pixels")
                    }
                    statistics.add(picture)
                    if part == 0, kept.count < 16 { kept.append(picture) }
                }
            }
        }
        let codec = try PatchPCA(fitting: statistics, channels: settings.channels)
        let quality = codec.psnr(of: concatenated(kept, along: 0))
        report(
            String(
                format:
                    "extract latents: fitted %d components on %d patches; pictures come back at "
                    + "%.1f dB", codec.channels, statistics.count, quality))
        return codec
    }

    private static func report(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }
}

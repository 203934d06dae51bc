import Dataset
import Diffusion
import Errors
import Foundation
import Storage
import Torch

/// A patch codec of a dataset's own: fitted on some of its pictures when it is first wanted, and then
/// kept in `codecs/`, so that clips that come later are coded alike.
struct CodecFitting {
    /// The codec's file, relative to the dataset directory.
    let name: String
    private let settings: LatentsSettings
    private let dataset: DatasetDirectory
    private let video: ColumnReader
    private let threads: Int

    /// The folder of fitted codecs in a dataset directory.
    static let folder = "codecs/"
    /// The most clips that are looked at, and about as many pictures.
    private static let clips = 256, pictures = 512

    /// - Returns: nil where nothing is to be fitted: for another codec, a file that is named, or outside
    ///   of a dataset.
    /// - Throws: `LoopyError` `.missing` where the dataset has no clips yet.
    init?(_ settings: LatentsSettings, _ context: ColumnContext) throws {
        guard settings.codec == .patchPCA, settings.weights.isEmpty, let dataset = context.dataset
        else { return nil }
        self.settings = settings
        self.dataset = dataset
        threads = context.threads
        video = try ColumnReader("video", in: dataset, catalogue: context.catalogue)
        let fingerprint = try Fingerprint(
            name: "patch-pca", version: 1,
            configuration: [
                "side": settings.side, "patch": settings.patch, "channels": settings.channels,
            ], inputs: ["video": video.column.fingerprint.digest])
        name = "\(Self.folder)patch-pca-\(fingerprint.short).safetensors"
    }

    private var path: String { dataset.path + "/" + name }

    var isDone: Bool { FileManager.default.fileExists(atPath: path) }

    /// Fits the codec, unless that is done; while one process does it, others wait.
    ///
    /// - Throws: `LoopyError` `.configuration` for settings that make no codec, `.missing` where there
    ///   are no clips to fit it on, `.output`.
    func fitOnce() throws {
        guard !isDone else { return }
        try FileLock.holding(dataset.path + "/" + Self.folder + ".lock") {
            guard !isDone else { return }
            let codec = try fit()
            let file = try OutputFile(path)
            try codec.write { try file.write([UInt8]($0)) }
            try file.commit()
        }
    }

    private func fit() throws -> PatchPCA {
        guard settings.patch > 0, settings.side >= 0 else {
            throw LoopyError(
                .configuration, "extract.latents: patch must be 1 or more, side 0 or more")
        }
        var found: [(unit: WorkUnit, key: String, frames: Int)] = []
        for unit in ClipPlan(try dataset.selection()).units {
            guard let record = try? video.record(unit) else { continue }
            found += zip(record.items, record.frames).map { (unit, $0, $1) }
        }
        guard !found.isEmpty else {
            throw LoopyError(
                .missing, "has no clips to fit a codec on: run loopy-crop first", path: dataset.path
            )
        }
        let count = min(Self.clips, found.count)
        var statistics = PatchStatistics(size: settings.patch)
        var kept: [Tensor] = []
        for index in 0..<count {
            let clip = found[index * found.count / count]
            let chosen = min(clip.frames, Self.pictures / count)
            let frames = (0..<chosen).map { (2 * $0 + 1) * clip.frames / (2 * chosen) }
            try pictures(of: clip.key, in: clip.unit).visit(frames) { picture in
                guard picture.length(2) % settings.patch == 0 else {
                    throw LoopyError(
                        .configuration,
                        "extract.latents.patch: \(settings.patch) does not divide pictures of "
                            + "\(picture.length(2)) pixels")
                }
                statistics.add(picture)
                if kept.count <= min(index, 15) { kept.append(picture) }
            }
        }
        let codec = try PatchPCA(fitting: statistics, channels: settings.channels)
        report(codec, statistics, quality: codec.psnr(of: concatenated(kept, along: 0)))
        return codec
    }

    private func pictures(of key: String, in unit: WorkUnit) throws -> Pictures {
        let archive = try video.archive(unit)
        let member = try archive.member(video.memberName(key))
        return Pictures(
            FileSlice(path: archive.path, bytes: member.bytes), side: settings.side,
            threads: threads)
    }

    private func report(_ codec: PatchPCA, _ statistics: PatchStatistics, quality: Double) {
        let share = codec.explainedVariance.reduce(0, +) / codec.totalVariance
        let text = String(
            format: "extract latents: fitted %d components on %d patches: they keep %.2f %% of the "
                + "variance, and pictures come back at %.1f dB\n",
            codec.channels, statistics.count, 100 * share, quality)
        FileHandle.standardError.write(Data(text.utf8))
    }
}

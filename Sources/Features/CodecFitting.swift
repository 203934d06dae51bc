import Dataset
import Diffusion
import Errors
import Foundation
import Media
import Storage
import Torch
import Weights

/// A codec of a dataset's own: fitted on some of its pictures when it is first wanted, and then kept in
/// `codecs/`, so that clips that come later are coded alike. Clips of the validation and test splits
/// are not looked at, unless there are no others.
struct CodecFitting {
    /// The codec's file, relative to the dataset directory.
    let name: String
    private let settings: LatentsSettings
    private let dataset: DatasetDirectory
    private let video: ColumnReader
    private let threads: Int

    /// The folder of fitted codecs in a dataset directory.
    static let folder = LatentsSettings.fittedFolder
    /// The most clips that are looked at.
    private static let clips = 256
    /// About the most pictures that components are fitted on.
    private static let pictures = 512
    /// About the most pictures that an autoencoder is fitted on, and the most bytes of them in memory.
    private static let autoencoderPictures = 3000, autoencoderBytes = 512 << 20
    /// The pictures that an autoencoder sees in a step.
    private static let batch = 8

    /// - Returns: nil where nothing is to be fitted: for another codec, a file that is named and taken as
    ///   it is, or outside of a dataset.
    /// - Throws: `LoopyError` `.missing` where the dataset has no clips yet.
    init?(_ settings: LatentsSettings, _ context: ColumnContext) throws {
        guard let dataset = context.dataset else { return nil }
        var configuration = [
            "side": "\(settings.side)", "channels": "\(settings.channels)",
        ]
        switch settings.codec {
        case .patchPCA where settings.weights.isEmpty:
            configuration["patch"] = "\(settings.patch)"
        case .compactAutoencoder where settings.fitSteps > 0:
            configuration["steps"] = "\(settings.fitSteps)"
            if let file = settings.codecFile(in: nil) {
                configuration["weights"] = try Digest.ofFile(file)
                configuration["channels"] = nil
            }
        default: return nil
        }
        self.settings = settings
        self.dataset = dataset
        threads = context.threads
        video = try ColumnReader("video", in: dataset, catalogue: context.catalogue)
        let fingerprint = try Fingerprint(
            name: settings.codec.rawValue, version: 2, configuration: configuration,
            inputs: ["video": video.column.fingerprint.digest])
        name = "\(Self.folder)\(settings.codec.rawValue)-\(fingerprint.short).safetensors"
    }

    private var path: String { dataset.path + "/" + name }

    var isDone: Bool { FileManager.default.fileExists(atPath: path) }

    /// Fits the codec, unless that is done; while one process does it, others wait.
    ///
    /// - Parameter onStep: called with how far it is, and of how many steps.
    /// - Throws: `LoopyError` `.configuration` for settings that make no codec, `.missing` where there
    ///   are no clips to fit it on, `.output`.
    func fitOnce(_ onStep: (_ done: Int, _ total: Int) -> Void = { _, _ in }) throws {
        guard !isDone else { return }
        try FileLock.holding(dataset.path + "/" + Self.folder + ".lock") {
            guard !isDone else { return }
            let file = try OutputFile(path)
            switch settings.codec {
            case .compactAutoencoder:
                try fitAutoencoder(onStep).write { try file.write([UInt8]($0)) }
            default: try fitComponents().write { try file.write([UInt8]($0)) }
            }
            try file.commit()
        }
    }

    /// Hands out pictures of evenly chosen frames, `[1, 3, H, W]`, clip by clip.
    ///
    /// - Parameters:
    ///   - count: about the most pictures.
    ///   - factor: what the pictures' side must be divisible by.
    private func visit(
        _ count: Int, factor: Int, _ body: (_ clip: Int, Tensor) throws -> Void
    ) throws {
        let plan = try ClipPlan(dataset)
        var found: [(unit: WorkUnit, key: String, frames: Int)] = []
        for unit in plan.units {
            guard let record = try? video.record(unit) else { continue }
            found += zip(record.items, record.frames).map { (unit, $0, $1) }
        }
        let training = found.filter { plan.clips[$0.key]?.split == .train }
        if !training.isEmpty { found = training }
        guard !found.isEmpty else {
            throw LoopyError(
                .missing, "has no clips to fit a codec on: run loopy-crop first", path: dataset.path
            )
        }
        let clips = min(Self.clips, found.count, count)
        for index in 0..<clips {
            let clip = found[index * found.count / clips]
            let chosen = min(clip.frames, max(1, count / clips))
            let frames = (0..<chosen).map { (2 * $0 + 1) * clip.frames / (2 * chosen) }
            try pictures(of: clip.key, in: clip.unit).visit(frames) { picture in
                guard picture.length(2) % factor == 0, picture.length(3) % factor == 0 else {
                    throw LoopyError(
                        .configuration,
                        "extract.latents: squares of \(factor) pixels do not divide pictures of "
                            + "\(picture.length(3))x\(picture.length(2)) pixels; set side")
                }
                try body(index, picture)
            }
        }
    }

    private func pictures(of key: String, in unit: WorkUnit) throws -> Pictures {
        let archive = try video.archive(unit)
        let member = try archive.member(video.memberName(key))
        return Pictures(
            FileSlice(path: archive.path, bytes: member.bytes), side: settings.side,
            threads: threads)
    }

    // MARK: Principal components

    private func fitComponents() throws -> PatchPCA {
        var statistics = PatchStatistics(size: settings.patch)
        var kept: [Tensor] = []
        try visit(Self.pictures, factor: settings.patch) { clip, picture in
            statistics.add(picture)
            if kept.count <= min(clip, 15) { kept.append(picture) }
        }
        let codec = try PatchPCA(fitting: statistics, channels: settings.channels)
        let share = codec.explainedVariance.reduce(0, +) / codec.totalVariance
        report(
            "%d components on %d patches: they keep %.2f %% of the variance, and pictures come back "
                + "at %.1f dB", codec.channels, statistics.count, 100 * share,
            codec.psnr(of: concatenated(kept, along: 0)))
        return codec
    }

    // MARK: An autoencoder

    private func fitAutoencoder(
        _ onStep: (_ done: Int, _ total: Int) -> Void
    ) throws -> CompactAutoencoderFitting {
        let side =
            settings.side > 0
            ? settings.side : video.column.facts["side"] ?? VideoEncoding().size
        // Twice, while they are joined.
        let count = max(1, min(Self.autoencoderPictures, Self.autoencoderBytes / (6 * side * side)))
        var pixels: [Tensor] = []
        try visit(count, factor: 8) { _, picture in
            pixels.append(((picture + 1.0) * 127.5 + 0.5).to(.uint8))
        }
        let all = concatenated(pixels, along: 0), steps = settings.fitSteps
        let fitting = try CompactAutoencoderFitting(
            continuing: settings.codecFile(in: nil).map { try Checkpoint($0) },
            channels: settings.channels, steps: steps, seed: 0)
        let generator = try Generator(seed: 0)
        func pictures(_ indices: Tensor) -> Tensor {
            all.indexSelect(indices, along: 0).to(.float32) / 127.5 - 1.0
        }
        for step in 0..<steps {
            let drawn = Tensor.integers(0..<pixels.count, [Self.batch], generator: generator)
            fitting.step(pictures(drawn))
            onStep(step + 1, steps)
        }
        let shown = (0..<min(16, pixels.count)).map { Int64($0 * pixels.count / 16) }
        report(
            "an autoencoder on %d pictures in %d steps: pictures come back at %.1f dB",
            pixels.count, steps, fitting.psnr(of: pictures(Tensor(shown))))
        return fitting
    }

    private func report(_ format: String, _ values: any CVarArg...) {
        let text = "extract latents: fitted " + String(format: format, arguments: values) + "\n"
        FileHandle.standardError.write(Data(text.utf8))
    }
}

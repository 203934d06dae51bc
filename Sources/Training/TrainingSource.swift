import Dataset
import Features
import Foundation
import LoopyModel
import Torch

/// Where training data comes from: a folder of shards, with the dataset's catalogue beside it where there
/// is one.
public struct TrainingSource {
    private let shards: [String]
    /// Of the validation split; none where there are none.
    private let heldOutShards: [String]
    /// Nil for shards of another producer.
    private let catalogue: Catalogue?
    private let dataset: DatasetDirectory

    /// - Parameter folder: DATASET/shards, or DATASET.
    /// - Throws: `TrainingError` `.shards` when it holds none.
    public init(_ folder: String) throws {
        let inner = folder + "/shards"
        let folder = FileManager.default.fileExists(atPath: inner) ? inner : folder
        shards = try WindowStream.shards(in: folder, split: "train")
        heldOutShards = (try? WindowStream.shards(in: folder, split: "val")) ?? []
        dataset = DatasetDirectory(
            URL(fileURLWithPath: folder).standardizedFileURL.deletingLastPathComponent().path)
        let hasCatalogue = FileManager.default.fileExists(atPath: dataset.catalogueFile)
        catalogue = hasCatalogue ? try Catalogue.read(dataset) : nil
    }

    /// How the latents were coded, in words, and the codec's file where there is one.
    func latents(_ settings: TrainingSettings) -> (words: [String: String], codec: String?) {
        guard let column = catalogue?.columns["latents"] else {
            let settings = settings.data.latents
            let isFile = settings.codec == .patchPCA && !settings.weights.isEmpty
            return (["codec": settings.codec.rawValue], isFile ? settings.weights : nil)
        }
        let file = column.settings["weights"].map {
            $0.hasPrefix("/") ? $0 : dataset.path + "/" + $0
        }
        let isCodec = column.settings["codec"] == LatentsSettings.Codec.patchPCA.rawValue
        return (column.settings, isCodec ? file : nil)
    }

    func stream(
        _ settings: TrainingSettings, from state: WindowStream.State?
    ) throws -> sending WindowStream {
        try WindowStream(
            shards: shards, settings: settings.windows, encoder: encoder(settings),
            restoring: state)
    }

    func heldOut(_ settings: TrainingSettings) throws -> [ClipWindow] {
        guard settings.validation.windows > 0, !heldOutShards.isEmpty else { return [] }
        return try WindowStream.fixedWindows(
            shards: heldOutShards, settings: settings.windows, encoder: encoder(settings),
            limit: settings.validation.windows)
    }

    /// A window, to see whether shards fit the model.
    func anyWindow(_ settings: TrainingSettings) throws -> ClipWindow {
        var few = settings.windows
        few.shuffle = 1
        few.windowsPerClip = 1
        return try WindowStream(shards: shards, settings: few, encoder: encoder(settings)).next()
    }

    /// For shards without latents.
    private func encoder(_ settings: TrainingSettings) -> FrameEncoder? {
        guard catalogue?.columns["latents"] == nil else { return nil }
        let coder = SharedCoder(settings.data.latents)
        return { path, bytes, frames in try coder.latents(path, bytes, frames) }
    }
}

/// A codec that is loaded when it is first needed.
private final class SharedCoder: @unchecked Sendable {
    // Unchecked: guarded by the lock.
    private let lock = NSLock()
    private let settings: LatentsSettings
    private var coder: FrameCoder?

    init(_ settings: LatentsSettings) { self.settings = settings }

    func latents(_ path: String, _ bytes: Range<Int>, _ frames: Range<Int>) throws -> Tensor {
        try lock.withLock {
            let coder = try coder ?? FrameCoder(settings)
            self.coder = coder
            return try coder.latents(path: path, bytes: bytes, frames: frames)
        }
    }
}

extension TrainingSettings {
    /// Single frames in the first stage; clips and what is before them in the second.
    var windows: WindowSettings {
        var windows = model.stage == .image ? WindowSettings.singleFrames : WindowSettings()
        if model.stage == .video {
            windows.frames = model.frames
            windows.motionFrames = model.segments.motionFrames
        }
        windows.windowsPerClip = data.windowsPerClip
        windows.shuffle = data.shuffle
        windows.seed = seed
        return windows
    }
}

extension RunDirectory {
    /// Writes what the run is, and keeps the codec of its latents.
    ///
    /// - Throws: `TrainingError` `.checkpoint` when a run that goes on had another model or schedule.
    public func prepare(
        _ settings: TrainingSettings, _ source: TrainingSource, resuming: Bool
    ) throws {
        if resuming, !steps().isEmpty {
            let former = try description().settings
            guard former.model == settings.model, former.schedule == settings.schedule,
                former.seed == settings.seed
            else {
                throw TrainingError(
                    .checkpoint,
                    "\(path): was begun with another model, noise schedule or seed; go on with those, or "
                        + "begin a new run")
            }
        }
        let (words, codec) = source.latents(settings)
        try write(Description(settings: settings, latents: words))
        if let codec, let bytes = FileManager.default.contents(atPath: codec) {
            try OutputFile.write([UInt8](bytes), to: codecFile)
        }
    }
}

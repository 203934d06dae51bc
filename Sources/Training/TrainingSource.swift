import Dataset
import Diffusion
import Errors
import Features
import Foundation
import LoopyModel
import Runs
import Synchronization
import Torch

/// Where training data comes from: a folder of shards, with the dataset's catalogue beside it where there
/// is one.
public struct TrainingSource {
    private let shards: [String]
    /// The shards of the validation split, if there are any.
    private let heldOutShards: [String]
    /// The dataset's catalogue; nil for shards of another producer.
    private let catalogue: Catalogue?
    private let dataset: DatasetDirectory

    /// - Parameter folder: DATASET/shards, or DATASET.
    /// - Throws: `LoopyError` `.malformed` when it holds none.
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

    /// The columns of the dataset that the model, or its loss, sees.
    func columns(_ settings: TrainingSettings) -> [String: Catalogue.Column] {
        var seen = ["video", "latents"]
        if settings.model.stage.isVideo {
            seen += ["keypoints", "motion", "speech"]
        } else if settings.windows.needsLandmarks {
            seen.append("keypoints")
        }
        return (catalogue?.columns ?? [:]).filter { seen.contains($0.key) }
    }

    /// The file of the codec, where latents are principal components.
    func codec(_ settings: TrainingSettings) throws -> String? {
        guard let column = catalogue?.columns["latents"] else {
            return settings.data.latents.codecFile(in: nil)
        }
        return try column.settings(or: LatentsSettings()).codecFile(in: dataset)
    }

    /// Loads what turns latents into pictures.
    ///
    /// - Throws: `LoopyError` `.configuration` where that is not known; what is wrong with the weights.
    func loadCodec(_ settings: TrainingSettings) throws -> any LatentCodec {
        var latents = settings.data.latents
        if let column = catalogue?.columns["latents"] {
            latents = try column.settings(or: latents)
            if let file = latents.codecFile(in: dataset) { latents.weights = file }
        }
        latents.device = settings.device
        return try latents.makeCodec().codec
    }

    /// Opens the windows to train on.
    ///
    /// - Parameters:
    ///   - state: where a run stood that goes on.
    ///   - isLazy: as for `WindowStream`.
    func stream(
        _ settings: TrainingSettings, from state: WindowStream.State?, isLazy: Bool
    ) throws -> sending WindowStream {
        let digests = (catalogue?.shards ?? []).map { ($0.name, $0.sha256) }
        return try WindowStream(
            shards: shards, settings: settings.windows,
            digests: Dictionary(digests, uniquingKeysWith: { $1 }), encoder: encoder(settings),
            isLazy: isLazy, restoring: state)
    }

    /// Reads the windows to validate on.
    func heldOut(_ settings: TrainingSettings) throws -> [ClipWindow] {
        guard settings.validation.windows > 0, !heldOutShards.isEmpty else { return [] }
        return try WindowStream.heldOutWindows(
            shards: heldOutShards, settings: settings.windows, encoder: encoder(settings),
            limit: settings.validation.windows)
    }

    /// Reads one window, to see whether shards fit the model.
    func anyWindow(_ settings: TrainingSettings) throws -> ClipWindow {
        var few = settings.windows
        few.shuffle = 1
        few.windowsPerClip = 1
        return try WindowStream(shards: shards, settings: few, encoder: encoder(settings)).next()
    }

    /// Makes latents for shards that have none; nil where the column is there.
    private func encoder(_ settings: TrainingSettings) -> FrameEncoder? {
        guard catalogue?.columns["latents"] == nil else { return nil }
        let coder = SharedCoder(settings.data.latents)
        return { path, bytes, frames in try coder.latents(path, bytes, frames) }
    }
}

/// A codec that is loaded when it is first needed.
private final class SharedCoder: Sendable {
    private let settings: LatentsSettings
    private let coder = Mutex<FrameCoder?>(nil)

    init(_ settings: LatentsSettings) { self.settings = settings }

    func latents(_ path: String, _ bytes: Range<Int>, _ frames: Range<Int>) throws -> Tensor {
        try coder.withLock { coder in
            if coder == nil { coder = try FrameCoder(settings) }
            return try coder!.latents(path: path, bytes: bytes, frames: frames)  // loaded above
        }
    }
}

extension TrainingSettings {
    /// Which windows are drawn: single frames in the first stage, clips and what is before them in the
    /// second.
    var windows: WindowSettings {
        var windows = model.stage == .image ? WindowSettings.singleFrames : WindowSettings()
        if model.stage.isVideo {
            windows.frames = model.frames
            windows.motionFrames = model.segments.motionFrames
        }
        windows.needsLandmarks = mouthWeight != 1
        windows.windowsPerClip = data.windowsPerClip
        windows.shuffle = data.shuffle
        windows.seed = seed
        return windows
    }
}

import Dataset
import Errors
import Features
import Foundation
import LoopyModel
import Storage
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

    /// What the model sees of the dataset.
    func columns(_ stage: LoopyConfiguration.Stage) -> [String: Catalogue.Column] {
        let still = ["video", "latents"]
        let seen = stage == .image ? still : still + ["keypoints", "motion", "speech"]
        return (catalogue?.columns ?? [:]).filter { seen.contains($0.key) }
    }

    /// The file of the codec, where latents are principal components.
    func codec(_ settings: TrainingSettings) throws -> String? {
        guard let column = catalogue?.columns["latents"] else {
            return settings.data.latents.codecFile(in: nil)
        }
        return try column.settings(or: LatentsSettings()).codecFile(in: dataset)
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
    /// What a run that goes on would be trained on otherwise than so far; nil where it may go on, and where
    /// there is no checkpoint yet.
    ///
    /// - Throws: `LoopyError` when the run cannot be understood.
    public func change(
        from settings: TrainingSettings, _ source: TrainingSource
    ) throws -> String? {
        guard !steps().isEmpty else { return nil }
        let former = try description()
        guard former.settings.model == settings.model,
            former.settings.schedule == settings.schedule, former.settings.seed == settings.seed
        else { return "another model, noise schedule or seed" }
        let columns = source.columns(settings.model.stage)
        let changed = Set(former.columns.keys).union(columns.keys).filter {
            former.columns[$0]?.fingerprint != columns[$0]?.fingerprint
        }
        return changed.isEmpty
            ? nil : "shards with another \(changed.sorted().joined(separator: ", "))"
    }

    /// Gives the run another name, RUN.1 or the next that is free, so that a new one can begin.
    ///
    /// - Returns: the name.
    /// - Throws: `LoopyError` `.output`.
    public func setAside() throws -> String {
        let names = (1...).lazy.map { "\(path).\($0)" }
        let name = names.first { !FileManager.default.fileExists(atPath: $0) } ?? path
        guard rename(path, name) == 0 else {
            throw LoopyError(.output, "\(path): cannot be renamed (errno \(errno))")
        }
        return name
    }

    /// Writes what the run is, and keeps the codec of its latents.
    ///
    /// - Throws: `LoopyError` `.mismatch` when a run that goes on had another model or schedule, or
    ///   saw other columns.
    public func prepare(
        _ settings: TrainingSettings, _ source: TrainingSource, resuming: Bool
    ) throws {
        if resuming, let change = try change(from: settings, source) {
            throw LoopyError(
                .mismatch,
                "\(path): was trained with \(change); go on with what it had, or begin a new run "
                    + "(--renew sets this one aside)")
        }
        let columns = source.columns(settings.model.stage)
        try write(Description(settings: settings, columns: columns))
        if let codec = try source.codec(settings).flatMap(FileManager.default.contents) {
            try OutputFile.write([UInt8](codec), to: codecFile)
        }
    }
}

import Dataset
import Errors
import Foundation
import Media
import Settings

/// The settings of `loopy-crop`.
public struct CropSettings: DescribedSettings {
    public var video = VideoEncoding()
    public var limits = MediaLimits()

    public init() {}

    public static var settings: [Setting<CropSettings>] {
        [.group("video", \.video), .group("limits", \.limits)]
    }
}

/// `loopy-crop`: accepted clips to the columns `video` (H.264, square, 25 fps) and `audio` (FLAC,
/// 16 kHz mono, 640 samples a frame).
public final class CropStage: UnitStage {
    /// 2: pictures in RGB, or stored big-endian, are not rounded to 8-bit Y'CbCr first.
    private static let videoVersion = 2
    /// 2: libFLAC encodes. 3: more than two channels are mixed without clipping; recordings joined end to end are
    /// heard one after the other.
    private static let audioVersion = 3

    private let settings: CropSettings
    private let threads: Int
    private let plan: ClipPlan
    private let sources: [String: Source]
    private let dataset: DatasetDirectory
    private let video: ColumnWriter
    private let audio: ColumnWriter

    public var units: [WorkUnit] { plan.units }

    public init(_ dataset: DatasetDirectory, settings: CropSettings, threads: Int) throws {
        self.dataset = dataset
        self.settings = settings
        self.threads = threads
        do {
            try settings.video.check()
        } catch {
            throw LoopyError(.configuration, "crop.video: \(error)")
        }
        plan = try ClipPlan(dataset)
        sources = Dictionary(
            try dataset.sources().map { ($0.digest, $0) }, uniquingKeysWith: { first, _ in first })
        video = try ColumnWriter(
            "video", suffix: ".mp4",
            ColumnIdentity(
                version: Self.videoVersion, configuration: settings.video,
                facts: ["side": settings.video.size]),
            settings: settings.video, dataset: dataset, units: plan.units)
        audio = try ColumnWriter(
            "audio", suffix: ".flac",
            ColumnIdentity(
                version: Self.audioVersion, configuration: ["sample_rate": Grid.sampleRate]),
            settings: ["sample_rate": Grid.sampleRate], dataset: dataset, units: plan.units)
    }

    /// The pictures': the sound's has no settings.
    public var fingerprint: Fingerprint? { video.fingerprint }

    public func isFinished(_ unit: WorkUnit) -> Bool {
        video.isFinished(unit) && audio.isFinished(unit)
    }

    /// Makes the clips of one unit.
    ///
    /// - Parameters:
    ///   - skipping: clips not to be tried, with the reason (a worker crashed on them).
    ///   - onItems: called with each clip's key before it is made.
    public func build(
        _ unit: WorkUnit, skipping: [String: String], alone: Bool, onItems: ([String]) -> Void
    ) throws {
        if !audio.isFinished(unit) {
            try audio.build(unit, skipping: skipping) { key in
                onItems([key])
                return try cutAudio(try clip(key))
            }
        }
        if !video.isFinished(unit) {
            try video.build(unit, skipping: skipping) { key in
                onItems([key])
                return try cutVideo(try clip(key))
            }
        }
    }

    /// What is cut, when every unit is finished.
    public var summary: String {
        let frames = units.compactMap { video.record($0)?.frames }.joined()
        let minutes = Double(frames.reduce(0, +)) / Double(Grid.framesPerSecond) / 60
        return counted(frames.count, "clip") + String(format: " cut, %.1f minutes", minutes)
    }

    public func finish() throws -> [Failure] {
        try video.finish()
        try audio.finish()
        return try dataset.collectFailures().filter { ["video", "audio"].contains($0.stage) }
    }

    private struct Clip {
        let source: Source
        let media: SourceMedia
        let frames: Range<Int>
        let crop: CropSquare
        let audioDelay: Int
    }

    private func clip(_ key: String) throws -> Clip {
        guard let decision = plan.clips[key], let crop = decision.crop,
            let source = sources[decision.source], let probe = source.probe
        else {
            throw LoopyError(
                .missing, "clip \(key): its source is not in sources.jsonl; run loopy-ingest again")
        }
        return Clip(
            source: source,
            media: SourceMedia(
                source, probe: probe, limits: settings.limits, threads: threads),
            frames: decision.frames, crop: crop, audioDelay: decision.audioDelay ?? 0)
    }

    private func cutVideo(_ clip: Clip) throws -> ColumnMember {
        let pictures = FramePrefetcher(try clip.media.pictures(clip.frames))
        defer { pictures.cancel() }
        let encoder = ClipEncoder(crop: clip.crop, encoding: settings.video)
        while let picture = try pictures.next() { try encoder.add(picture.frame) }
        guard encoder.frameCount == clip.frames.count else {
            throw LoopyError(
                .undecodable,
                "gave \(encoder.frameCount) pictures where \(clip.frames.count) were measured",
                path: clip.source.path)
        }
        return ColumnMember(bytes: try encoder.finish(), frames: encoder.frameCount)
    }

    private func cutAudio(_ clip: Clip) throws -> ColumnMember {
        guard clip.media.probe.audio != nil else {
            // Rules that let a silent film pass get silence.
            let silence = [Float](repeating: 0, count: clip.frames.count * Grid.samplesPerFrame)
            return ColumnMember(bytes: try FLAC.encode(silence), frames: clip.frames.count)
        }
        let samples = try clip.media.samples(clip.frames, delay: clip.audioDelay)
        return ColumnMember(bytes: try FLAC.encode(samples), frames: clip.frames.count)
    }
}

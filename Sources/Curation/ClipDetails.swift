import Dataset
import Errors
import Foundation
import Media
import Perception
import Storage

/// What a person looks at of one clip: pictures, values over time, sound. Everything is read, decoded or
/// listened to when it is asked for.
public final class ClipDetails {
    public let sources: [Source]
    private let measurements: Measurements
    private var voiceActivity: VoiceActivity?
    /// Longer pieces are shown from their beginning to here.
    private static let mostFrames = 60 * Grid.framesPerSecond

    /// - Throws: `LoopyError` when measurements are missing or not finished.
    public init(_ dataset: DatasetDirectory) throws {
        sources = try dataset.sources()
        measurements = try Measurements(dataset, sources: sources)
    }

    /// What was measured of a clip's candidate.
    public struct Measured: Sendable {
        public var metrics: Metrics
        /// Why metrics are null, by their names.
        public var notes: [String: String]
        public var syncCurve: [Double]?
    }

    /// - Returns: nil for a clip without a candidate.
    public func measured(_ clip: SelectableClip) throws -> Measured? {
        guard let candidate = try candidate(of: clip) else { return nil }
        let notes = candidate.parts.compactMap(\.candidate.notes)
        return Measured(
            metrics: candidate.metrics,
            notes: notes.reduce(into: [:]) { $0.merge($1) { first, _ in first } },
            syncCurve: candidate.syncCurve)
    }

    /// Values over time.
    public struct Tracks: Sendable {
        /// `[T, TrackColumn.count]`
        public var values: [Float]
        /// `[T, 68, 2]`: x and y in pixels of the upright source.
        public var points: [Float]
    }

    /// The track of a clip's face and its key points, `mostFrames` at most.
    ///
    /// - Returns: nil for a clip without a candidate.
    public func tracks(_ clip: SelectableClip) throws -> Tracks? {
        guard let candidate = try candidate(of: clip) else { return nil }
        let shown = shownFrames(clip)
        let first = shown.lowerBound - candidate.frames.lowerBound
        let rows = TrackColumn.allCases.count
        let track = try measurements.track(of: candidate).values
        let keypoints = try measurements.keypoints(of: candidate)
        let row = IBUG68.count * 3
        let points = keypoints[(first * row)..<((first + shown.count) * row)]
        return Tracks(
            values: Array(track[(first * rows)..<((first + shown.count) * rows)]),
            points: points.enumerated().filter { $0.offset % 3 != 2 }.map(\.element))
    }

    /// The frames of a clip that are shown.
    private func shownFrames(_ clip: SelectableClip) -> Range<Int> {
        clip.frames.prefix(Self.mostFrames)
    }

    /// What is heard in each frame.
    public struct Sound: Sendable {
        /// The root mean square of the samples, 0...1.
        public var loudness: [Float]
        public var isSpeech: [Bool]
    }

    /// - Returns: nil where the source has no sound that can be decoded.
    public func sound(_ clip: SelectableClip) throws -> Sound? {
        guard let samples = try media(of: clip)?.sound(shownFrames(clip)) else { return nil }
        let network = try voiceActivity ?? VoiceActivity()
        voiceActivity = network
        return Sound(
            loudness: Grid.levels(of: samples), isSpeech: try network.isSpeech(samples))
    }

    /// The sound of a clip as FLAC; nil where the source has none that can be decoded.
    public func soundFile(_ clip: SelectableClip) throws -> [UInt8]? {
        try media(of: clip)?.sound(shownFrames(clip)).map(FLAC.encode)
    }

    /// The side of `video`'s pictures, in pixels.
    private static let videoSide = 480

    /// The whole pictures of a clip as MP4, 25 a second, in the middle of black squares.
    ///
    /// - Throws: `LoopyError` when the source cannot be decoded.
    public func video(_ clip: SelectableClip) throws -> [UInt8] {
        guard let media = try media(of: clip), !clip.frames.isEmpty, let size = try size(of: clip)
        else {
            throw LoopyError(.missing, "has no pictures", path: sources[clip.source].path)
        }
        var encoding = VideoEncoding()
        (encoding.size, encoding.crf, encoding.preset) = (
            Self.videoSide, 25, "ultrafast"
        )
        let pictures = FramePrefetcher(try media.pictures(shownFrames(clip)))
        defer { pictures.cancel() }
        let encoder = ClipEncoder(
            crop: Self.wholePicture(size.width, size.height), encoding: encoding)
        while let picture = try pictures.next() { try encoder.add(picture.frame) }
        return try encoder.finish()
    }

    /// The square that `video` shows: x and y are 0 or below.
    public static func wholePicture(_ width: Int, _ height: Int) -> CropSquare {
        let side = max(width, height)
        return CropSquare(x: (width - side) / 2, y: (height - side) / 2, side: side)
    }

    /// The size of a clip's pictures, upright: its candidate's, which may be another than the source begins with.
    public func size(of clip: SelectableClip) throws -> (width: Int, height: Int)? {
        if let first = try candidate(of: clip)?.first, let width = first.width,
            let height = first.height
        {
            return (width, height)
        }
        return sources[clip.source].probe.map { ($0.video.width, $0.video.height) }
    }

    /// The picture in the middle of a clip, the square around its face, as JPEG.
    ///
    /// - Throws: `LoopyError` when the source cannot be decoded.
    public func picture(_ clip: SelectableClip, side: Int) throws -> [UInt8] {
        let middle = clip.frames.lowerBound + clip.frames.count / 2
        let seen = try media(of: clip)?.pictures(middle..<(middle + 1)).next()?.frame
        guard let seen else {
            throw LoopyError(.missing, "has no pictures", path: sources[clip.source].path)
        }
        var points: [Point] = []
        if let candidate = try candidate(of: clip) {
            points = try measurements.points(of: candidate, at: middle)
        }
        return try FaceSquare(seen, points, crop: clip.crop, side: side).canvas().jpeg()
    }

    private func media(of clip: SelectableClip) throws -> SourceMedia? {
        let source = sources[clip.source]
        return source.probe.map {
            SourceMedia(source, probe: $0, limits: MediaLimits(), threads: 1)
        }
    }

    private func candidate(of clip: SelectableClip) throws -> StitchedCandidate? {
        guard let face = clip.face else { return nil }
        let source = sources[clip.source]
        let span = clip.span.flatMap { source.spans?[$0] }
        let parts = try measurements.lines(of: source).within(span)
        return Selector.candidates(parts, measurements).first {
            $0.first.face == face && $0.frames.lowerBound <= clip.frames.lowerBound
                && clip.frames.upperBound <= $0.frames.upperBound
        }
    }
}

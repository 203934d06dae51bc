import Dataset
import Foundation
import Media
import Perception
import Torch

/// What was measured of one stretch: its candidates, each with its track.
struct StretchMeasurement {
    struct Measured {
        var candidate: Candidate
        var track: TrackRecorder
        /// What is heard; nothing without sound.
        var sound: FootageSound
    }

    var candidates: [Measured] = []
    var frames = 0
}

/// Follows the faces of a stretch in one decoding pass, and lets the measurers measure each.
final class Measurer {
    private let settings: MeasureSettings
    private let threads: Int
    private let tracker: FaceTracker
    private let voiceActivity: VoiceActivity
    private let measurers: MetricMeasurers
    private let soundWords = SoundWords()
    private let soundDetails = SoundDetails()
    /// The network that says who a face is, if any.
    private let faceRecognition: FaceRecognition?
    /// The network whose points replace those of FaceMesh, if any.
    private let keypointNetwork: (any WholePictureNetwork)?
    /// Pictures that a source may show one picture for: longer, and it is a hole, not a slow source.
    private static let longestRepeat = 25
    /// The RMS of a frame's samples that counts as sound: -60 dB.
    private static let audibleLevel: Float = 0.001

    /// - Parameter files: of the networks, by role.
    init(_ settings: MeasureSettings, networks files: [String: String], threads: Int) throws {
        self.settings = settings
        self.threads = threads
        let keypoints = try settings.keypointNetworks(threads: threads).load()
        tracker = FaceTracker(
            near: try BlazeFace(.short, path: files["near_detector"]),
            far: try BlazeFace(.full, path: files["far_detector"]),
            network: keypoints.following)
        keypointNetwork = keypoints.replacing
        voiceActivity = try VoiceActivity(path: files["voice_activity"])
        measurers = try MetricMeasurers(
            networks: files,
            chosen: settings.networks.sorted { $0.key < $1.key }.map {
                try NetworkMeasurer($0, $1, threads: threads)
            })
        faceRecognition = try files[MeasureSettings.identityRole].map(FaceRecognition.init)
    }

    func measure(_ stretch: Stretch) throws -> StretchMeasurement {
        // Others measure beside this one.
        try LibTorch.withThreads(min(threads, LibTorch.threads)) { try measured(stretch) }
    }

    private func measured(_ stretch: Stretch) throws -> StretchMeasurement {
        guard let probe = stretch.source.probe else { return StretchMeasurement() }
        let media = SourceMedia(
            stretch.source, probe: probe, limits: settings.limits, threads: threads)
        // Sound and pictures have nothing to do with each other until both are there.
        let listening = Background { try self.listen(stretch.frames, media) }
        let tracks = Result {
            var tracks = try followFaces(stretch, media)
            try replacePoints(of: &tracks.closed, media)
            return tracks
        }
        let heard = listening.result()
        return try measurement(of: stretch, tracks.get(), heard.get(), media)
    }

    private func measurement(
        of stretch: Stretch, _ tracks: FollowedFaces, _ sound: StretchSound?, _ media: SourceMedia
    ) throws -> StretchMeasurement {
        var result = StretchMeasurement(frames: tracks.frames)
        for track in tracks.closed where track.count > 0 {
            var candidate = Candidate(
                outcome: .candidate, source: stretch.source.digest, start: track.start,
                end: track.end, face: track.face)
            let stretchEnd = stretch.frames.lowerBound + tracks.frames
            candidate.opensAtBorder =
                track.start == stretch.frames.lowerBound && track.start > 0
                && !tracks.opensWithCut
            candidate.closesAtBorder =
                track.end == stretchEnd && stretchEnd == stretch.frames.upperBound
            (candidate.width, candidate.height) = (track.width, track.height)
            candidate.firstBox = track.box(at: 0)
            candidate.lastBox = track.box(at: track.count - 1)
            let values = try measurers.values(
                of: TrackedFace(
                    track: track, sound: sound,
                    framesPerSecond: media.probe.video.framesPerSecond, media: media))
            candidate.metrics = .unmeasured(and: settings.networkMetrics)
            candidate.add(values)
            result.candidates.append(
                .init(
                    candidate: candidate, track: track,
                    sound: sound?.words(of: track.start..<track.end)
                        ?? FootageSound(silentFrames: track.count)))
        }
        let compared = comparedFaces(
            result.candidates.map { ($0.candidate.frames, $0.candidate.metrics) })
        for index in compared.indices {
            result.candidates[index].candidate.metrics = compared[index]
        }
        result.candidates.sort {
            ($0.candidate.start, $0.candidate.face) < ($1.candidate.start, $1.candidate.face)
        }
        return result
    }

    // MARK: Picture

    private struct FollowedFaces {
        var closed: [TrackRecorder] = []
        var frames = 0
        var opensWithCut = false
    }

    private func followFaces(_ stretch: Stretch, _ media: SourceMedia) throws -> FollowedFaces {
        // Pictures before the stretch tell whether a shot begins with it, wherever it was cut off.
        let first = max(0, stretch.frames.lowerBound - ShotDetector.reach)
        let prefetcher = FramePrefetcher(try media.pictures(first..<stretch.frames.upperBound))
        defer { prefetcher.cancel() }

        var result = FollowedFaces()
        var shots = ShotDetector()
        var open: [TrackRecorder] = []
        var repeats = 0
        func closeAll(droppingRepeats: Int = 0) {
            for var track in open {
                track.dropLast(droppingRepeats)
                track.trim()
                result.closed.append(track)
            }
            open = []
        }
        var observations: [FaceObservation] = []
        tracker.startVideo()
        measurers.start(after: nil)
        while let picture = try prefetcher.next() {
            if picture.index < stretch.frames.lowerBound {
                // The first one may have begun before.
                if !picture.isRepeat || picture.index == first { _ = shots.isCut(picture.frame) }
                measurers.start(after: picture.frame)
                continue
            }
            result.frames += 1
            if picture.isRepeat && result.frames > 1 {
                repeats += 1
                if repeats == Self.longestRepeat {
                    closeAll(droppingRepeats: repeats - 1)
                    tracker.startShot()
                    observations = []
                }
                for index in open.indices { open[index].appendRepeat() }
                try measurers.see(SeenPicture(picture, faces: observations))
                continue
            }
            repeats = 0
            let startsShot = shots.isCut(picture.frame)
            if startsShot {
                if picture.index == stretch.frames.lowerBound { result.opensWithCut = true }
                closeAll()
                tracker.startShot()
            }
            observations = try tracker.update(picture.frame)
            try measurers.see(
                SeenPicture(picture, faces: observations, startsShot: startsShot))
            try record(observations, picture, open: &open, closed: &result.closed)
        }
        closeAll()
        return result
    }

    /// Replaces FaceMesh's points by those of a network that looks at whole pictures, where one is
    /// chosen. This is a second pass: the network looks at several pictures at once, and takes far
    /// longer than decoding.
    private func replacePoints(of tracks: inout [TrackRecorder], _ media: SourceMedia) throws {
        guard let keypointNetwork, let first = tracks.map(\.start).min(),
            let last = tracks.map(\.end).max()
        else { return }
        let pictures = FramePrefetcher(try media.pictures(first..<last))
        defer { pictures.cancel() }
        try PointReplacement.replace(in: &tracks, pictures, by: keypointNetwork)
    }

    /// Adds what was seen to the open tracks; tracks whose face is gone are closed.
    private func record(
        _ observations: [FaceObservation], _ picture: GridFrame, open: inout [TrackRecorder],
        closed: inout [TrackRecorder]
    ) throws {
        var stillOpen: [TrackRecorder] = []
        for var track in open {
            let fits =
                track.width == picture.frame.width && track.height == picture.frame.height
            if fits, let seen = observations.first(where: { $0.face == track.face }) {
                track.append(seen, frame: picture)
                try recognise(&track, seen, picture)
                stillOpen.append(track)
            } else {
                track.trim()
                closed.append(track)
            }
        }
        for seen in observations where !stillOpen.contains(where: { $0.face == seen.face }) {
            if seen.isCoasting { continue }
            var track = TrackRecorder(face: seen.face, start: picture.index, frame: picture.frame)
            track.append(seen, frame: picture)
            try recognise(&track, seen, picture)
            stillOpen.append(track)
        }
        open = stillOpen
    }

    /// Adds who a face is, in pictures that show it well: once a second of the source, so that it does not matter
    /// where stretches begin.
    private func recognise(
        _ track: inout TrackRecorder, _ seen: FaceObservation, _ picture: GridFrame
    ) throws {
        guard let faceRecognition, picture.index.isMultiple(of: FaceIdentity.step),
            !seen.isCoasting, FaceIdentity.isFrontal(seen.landmarks.pose),
            let embedding = try faceRecognition.embedding(
                of: seen.landmarks.points, in: picture.frame)
        else { return }
        track.embeddings.append(embedding)
    }

    // MARK: Sound

    /// - Parameter frames: to the stretch's nominal end: the pictures may end sooner.
    /// - Returns: nil where there is no sound track, or none that can be decoded: the pictures are
    ///   worth measuring all the same, and the rules see that there is no sound.
    private func listen(_ frames: Range<Int>, _ media: SourceMedia) throws -> StretchSound? {
        // A frame's word depends on what is heard around it, on this side of the stretch's ends or not.
        let around = (frames.lowerBound - SoundWords.reach)..<(frames.upperBound + SoundWords.reach)
        guard let heard = try media.sound(around) else { return nil }
        let lead = SoundWords.reach * Grid.samplesPerFrame
        let samples = Array(heard[lead..<(heard.count - lead)])
        let audible = Grid.levels(of: samples).map { $0 > Self.audibleLevel }
        return StretchSound(
            start: frames.lowerBound, isSpeech: try voiceActivity.isSpeech(samples),
            isAudible: audible, samples: samples,
            words: FootageSound(
                words: soundWords.words(of: heard), details: soundDetails.words(of: heard)))
    }
}

extension Candidate {
    fileprivate mutating func add(_ values: MetricValues) {
        metrics.add(values.metrics)
        if !values.notes.isEmpty {
            notes = Dictionary(uniqueKeysWithValues: values.notes.map { ($0.name, $1) })
        }
        // A tenth is more than the network knows.
        syncCurve = values.syncCurve?.map { ($0 * 10).rounded() / 10 }
    }
}

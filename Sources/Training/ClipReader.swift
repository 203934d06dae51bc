import Dataset
import Foundation
import Media
import Perception
import Speech
import Torch

/// Makes latents of pictures, for shards that hold none.
///
/// - Parameters:
///   - path: the file that the video is in.
///   - bytes: where in the file it is.
///   - frames: the frames that are wanted, T of them.
/// - Returns: `[T, C, h, w]`; fewer where the video ends earlier.
public typealias FrameEncoder =
    @Sendable (_ path: String, _ bytes: Range<Int>, _ frames: Range<Int>) throws -> Tensor

/// Reads windows of clips: what of the clip they need, each byte once.
final class ClipReader {
    private let settings: WindowSettings
    private let encoder: FrameEncoder?
    /// The lengths of the axes after the first of the members read so far, by name; batches need them
    /// alike.
    private var rowShapes: [String: [Int]] = [:]
    /// The sides of crops in pixels, by the shards' folder; nil where only videos know.
    private var sides: [String: Int?] = [:]
    /// The number of frames of videos that had to be decoded to know it, by shard and key.
    private var counted: [String: Int] = [:]

    init(_ settings: WindowSettings, _ encoder: FrameEncoder?) {
        self.settings = settings
        self.encoder = encoder
    }

    /// Counts the frames of a clip.
    ///
    /// - Throws: `LoopyError` that names shard, clip and member.
    func frames(_ shard: Shard, _ clip: ShardClip) throws -> Int {
        if clip.members["latents.npy"] != nil { return try latents(shard, clip).count }
        guard let video = clip.members["mp4"], encoder != nil else {
            let other = encoder == nil ? "" : ", nor \(clip.key).mp4 to make it from"
            throw shard.error(
                clip,
                "has no member \(clip.key).latents.npy\(other); run loopy-extract latents and "
                    + "loopy-pack")
        }
        struct Facts: Decodable { var frames: Int? }
        if let facts = clip.members["json"],
            let frames = try? JSONDecoder().decode(
                Facts.self, from: Data(shard.archive.read(facts.name))
            ).frames
        {
            return frames
        }
        let name = shard.path + " " + clip.key
        if let frames = counted[name] { return frames }
        let reader = try VideoReader(path: shard.path, bytes: video.bytes)
        var frames = 0
        while try reader.next() != nil { frames += 1 }
        counted[name] = frames
        return frames
    }

    private func latents(_ shard: Shard, _ clip: ShardClip) throws -> ClipArray {
        try ClipArray(shard, clip, "latents.npy", shape: [nil, nil, nil, nil])
    }

    /// Reads windows of one clip.
    ///
    /// - Parameters:
    ///   - count: the number of the clip's frames.
    ///   - positions: windows of this clip, which end where the clip does or before.
    /// - Throws: `LoopyError` that names shard, clip and member.
    func windows(
        _ shard: Shard, _ clip: ShardClip, count: Int, _ positions: [WindowPosition]
    ) throws -> [StoredWindow] {
        let spans = positions.map { position in
            max(0, position.start - settings.motionFrames)..<(position.start + settings.frames)
        }
        let latents = try latents(
            shard, clip, spans + positions.map { $0.reference..<($0.reference + 1) })
        let landmarks =
            settings.needsConditions || settings.needsLandmarks
            ? try landmarks(shard, clip, count: count, positions) : nil
        let conditions =
            settings.needsConditions ? try conditions(shard, clip, count: count, positions) : nil
        return positions.indices.map { index in
            let position = positions[index]
            return StoredWindow(
                position: position, shard: shard.path,
                historyCount: position.start - spans[index].lowerBound,
                latents: latents[spans[index]],
                reference: latents[position.reference..<(position.reference + 1)],
                landmarks: landmarks?[index], conditions: conditions?[index])
        }
    }

    // MARK: Members

    /// Reads latents from the shard, or makes them of the video's pictures, in float16 as the column has
    /// them.
    private func latents(
        _ shard: Shard, _ clip: ShardClip, _ wanted: [Range<Int>]
    ) throws -> ClipRows {
        if clip.members["latents.npy"] != nil {
            var array = try latents(shard, clip)
            try requireAlike(shard, clip, "latents", array.rows.rowShape)
            try array.load(wanted)
            return array.rows
        }
        guard let video = clip.members["mp4"], let encoder else {
            preconditionFailure("a clip is read after its frames were counted")
        }
        var rows: ClipRows?
        for range in ClipRows.joined(wanted) {
            let encoded = try encoder(shard.path, video.bytes, range)
            guard encoded.rank == 4, encoded.length(0) == range.count else {
                throw shard.error(
                    clip,
                    "\(video.name): frames \(range.lowerBound) to \(range.upperBound - 1) gave "
                        + "latents of the shape \(encoded.shape); is the video shorter than its facts "
                        + "say?")
            }
            let rowShape = Array(encoded.shape.dropFirst())
            try requireAlike(shard, clip, "latents", rowShape)
            rows = rows ?? ClipRows(type: .float16, rowShape: rowShape)
            rows?.load([range]) { _ in encoded.to(.cpu).to(.float16) }
        }
        return rows ?? ClipRows(type: .float16, rowShape: [])
    }

    private func conditions(
        _ shard: Shard, _ clip: ShardClip, count: Int, _ positions: [WindowPosition]
    ) throws -> [StoredWindow.Conditions] {
        let frames = settings.frames, radius = SpeechWindows.radius
        var speech = try ClipArray(shard, clip, "speech.npy", shape: [nil, nil, nil])
        try requireAlike(shard, clip, "speech", speech.rows.rowShape)
        // Sound that ends within a frame may have been counted either way.
        try requireCount(shard, clip, "speech.npy", speech.count, count, tolerance: 1)
        let motion =
            frames == MotionVariance.window
            ? try motion(shard, clip, count: count, positions) : nil
        let heard = positions.map { position in
            let first = max(0, position.start - radius)
            return first..<min(speech.count, position.start + frames + radius)
        }
        try speech.load(heard)
        return zip(positions, heard).map { position, heard in
            StoredWindow.Conditions(
                speech: speech.rows[heard], speechStart: position.start - heard.lowerBound,
                motion: motion.map { $0[position.start..<(position.start + 1)] })
        }
    }

    private func motion(
        _ shard: Shard, _ clip: ShardClip, count: Int, _ positions: [WindowPosition]
    ) throws -> ClipRows {
        var motion = try ClipArray(shard, clip, "motion.npy", shape: [nil, 2])
        let windows = count - MotionVariance.window + 1
        try requireCount(shard, clip, "motion.npy", motion.count, windows)
        try motion.load(positions.map { $0.start..<($0.start + 1) })
        return motion.rows
    }

    private func landmarks(
        _ shard: Shard, _ clip: ShardClip, count: Int, _ positions: [WindowPosition]
    ) throws -> [StoredWindow.Landmarks] {
        var keypoints = try ClipArray(shard, clip, "keypoints.npy", shape: [nil, 68, 3])
        try requireCount(shard, clip, "keypoints.npy", keypoints.count, count)
        let spans = positions.map { $0.start..<($0.start + settings.frames) }
        try keypoints.load(spans)
        let side = try side(shard, clip)
        return spans.map { StoredWindow.Landmarks(keypoints: keypoints.rows[$0], side: side) }
    }

    private func requireCount(
        _ shard: Shard, _ clip: ShardClip, _ name: String, _ count: Int, _ expected: Int,
        tolerance: Int = 0
    ) throws {
        guard abs(count - expected) > tolerance else { return }
        throw shard.error(
            clip,
            "\(clip.key).\(name) has \(count) rows, and the clip's other members want \(expected)")
    }

    private func requireAlike(
        _ shard: Shard, _ clip: ShardClip, _ name: String, _ rowShape: [Int]
    ) throws {
        guard let former = rowShapes[name] else {
            rowShapes[name] = rowShape
            return
        }
        guard former != rowShape else { return }
        throw shard.error(
            clip, "\(name) are \(rowShape) a frame, and those of clips before it were \(former)")
    }

    /// The side of the crop on which the key points were measured, in pixels.
    private func side(_ shard: Shard, _ clip: ShardClip) throws -> Double {
        let folder = (shard.path as NSString).deletingLastPathComponent
        if sides[folder] == nil {
            let dataset = DatasetDirectory((folder as NSString).deletingLastPathComponent)
            let catalogue = try Catalogue.read(dataset)
            sides[folder] = .some(catalogue.columns["keypoints"]?.facts["side"])
        }
        if let known = sides[folder], let side = known { return Double(side) }
        guard let video = clip.members["mp4"] else {
            throw shard.error(
                clip,
                "how many pixels its side has is not known: neither dataset.json beside "
                    + "\(folder) says it (columns, keypoints, facts, side), nor is there "
                    + "\(clip.key).mp4")
        }
        let reader = try VideoReader(
            path: shard.path, bytes: video.bytes, range: 0..<1, threads: 1)
        guard let picture = try reader.next() else {
            throw shard.error(clip, "\(video.name) shows no picture")
        }
        return Double(picture.frame.width)
    }
}

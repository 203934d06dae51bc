import Runs

extension WindowStream {
    /// Chooses windows to validate on, one of each clip, the same in every run. Which clips, where the
    /// window begins and which frame is its reference follow from the clips' keys alone.
    ///
    /// - Parameters:
    ///   - shards: paths of the held-out archives.
    ///   - limit: how many are wanted; there are fewer where few clips are long enough.
    /// - Throws: as a stream does.
    public static func heldOutWindows(
        shards: [String], settings: WindowSettings, encoder: FrameEncoder? = nil, limit: Int
    ) throws -> [ClipWindow] {
        try settings.validate()
        let reader = ClipReader(settings, encoder)
        let shards = try ordered(shards).map { try Shard($0) }
        // Neighbours are often of one recording: an order that keys draw spreads the choice.
        var candidates: [(number: UInt64, shard: Int, clip: ShardClip)] = []
        for (index, shard) in shards.enumerated() {
            for clip in shard.clips {
                var drawing = SeededNumbers("held out", clip.key)
                candidates.append((drawing.next(), index, clip))
            }
        }
        candidates.sort { ($0.number, $0.clip.key) < ($1.number, $1.clip.key) }

        var windows: [ClipWindow] = []
        for (_, index, clip) in candidates where windows.count < limit {
            let frames = try reader.frames(shards[index], clip)
            guard frames >= settings.frames else { continue }
            var drawing = SeededNumbers("window", clip.key)
            let position = WindowPosition(
                shard: index, key: clip.key, start: drawing.below(frames - settings.frames + 1),
                reference: drawing.below(frames))
            let stored = try reader.windows(shards[index], clip, count: frames, [position])
            windows += try stored.map { try $0.window() }
        }
        return windows
    }
}

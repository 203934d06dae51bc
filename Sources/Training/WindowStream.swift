import Errors
import Foundation
import Runs
import Torch

/// Windows drawn from shards, without end: epoch follows epoch, and each draws the order of the clips
/// and `windowsPerClip` windows of every clip anew, from the seed and its number. Belongs to one thread
/// at a time.
///
/// Shards hold clips in the order of their sources, so a buffer alone would show one person after the
/// other. Their order is drawn, `shardsTogether` of them are open at a time, and the clips of these are
/// read in random order. Windows come out of a buffer in random order, too: it grows as an epoch goes
/// on, two windows in for one out, so that the first need not wait for all of it, and is empty at the
/// epoch's end.
public final class WindowStream {
    public let settings: WindowSettings
    /// The paths of the shards, in the order of their names.
    public let shards: [String]
    /// What was read of the epoch so far.
    public private(set) var counts = Counts()
    /// How the data differ from those of the state that was to be restored, in words; nil where they are
    /// the same.
    public private(set) var change: String?
    /// The names of the shards' files.
    private let names: [String]
    /// What tells each shard from another one of its name: its digest, or its size.
    private let contents: [String]
    private let reader: ClipReader
    private var position = Position()
    /// The indices of the shards in the epoch's order.
    private var order: [Int] = []
    /// The clips of the shards that are open together, in the order in which they are read; nil where
    /// nobody has looked yet.
    private var clips: [ClipPosition]?
    /// The numbers by which windows are drawn from the buffer.
    private var numbers = SeededNumbers()
    private var buffer: [WaitingWindow] = []
    /// Whether windows are read when they are handed out, and not with the others of their clip.
    private let isLazy: Bool
    private var openShards: [(index: Int, shard: Shard)] = []

    private struct WaitingWindow {
        let position: WindowPosition
        /// Nil where windows are read when they are handed out.
        let stored: StoredWindow?
    }

    /// How many shards are open at a time, and have their clips mixed.
    private static let shardsTogether = 8

    private struct ClipPosition {
        let shard: Int, clip: Int
    }

    public struct Counts: Codable, Sendable, Equatable {
        /// Clips of which windows were drawn.
        public var clips = 0
        /// Clips that were skipped because they are shorter than a window.
        public var skipped = 0
    }

    /// What is read and handed out next.
    fileprivate struct Position: Codable, Equatable {
        var epoch = 0
        /// The number of the shards that are open together, in the epoch's order.
        var group = 0
        /// The clip's index in the order of theirs.
        var clip = 0
        /// The number of windows of the epoch so far.
        var handedOut = 0

        enum CodingKeys: String, CodingKey {
            case epoch, clip, handedOut
            case group = "shard"
        }
    }

    /// - Parameters:
    ///   - shards: paths of archives with names of their own.
    ///   - digests: digests of shards, by name; shards that have none are told apart by their size.
    ///   - encoder: makes latents for clips that have none in the shards.
    ///   - isLazy: whether windows are read when they are handed out: for who skips most of them. Each is
    ///     read alone then, not with the others of its clip.
    ///   - state: of a stream that ended. Over the same shards and with the same settings this one goes on
    ///     from there, and yields bit for bit what that one would have. Otherwise it begins the epoch
    ///     after that one's, and `change` says why.
    /// - Throws: `LoopyError` `.configuration` for settings that cannot be used, `.malformed` for shards
    ///   that cannot, `.mismatch` for a shard that does not hold what the state says; what reading clips
    ///   throws.
    public init(
        shards: [String], settings: WindowSettings, digests: [String: String] = [:],
        encoder: FrameEncoder? = nil, isLazy: Bool = false, restoring state: State? = nil
    ) throws {
        try settings.validate()
        self.settings = settings
        self.isLazy = isLazy
        self.shards = try Self.ordered(shards)
        names = self.shards.map(Self.name)
        contents = zip(names, self.shards).map { digests[$0] ?? Self.size($1) }
        reader = ClipReader(settings, encoder)
        begin(epoch: state?.epoch ?? 0)
        guard let state else { return }
        change = difference(from: state)
        guard change == nil else {
            begin(epoch: state.epoch + 1)
            return
        }
        (position, numbers, counts) = (state.position, state.numbers, state.counts)
        buffer =
            isLazy
            ? state.buffer.map { WaitingWindow(position: $0, stored: nil) }
            : try windows(state.buffer).map { WaitingWindow(position: $0.position, stored: $0) }
    }

    /// Sorts shards by their names, whatever order they were listed in.
    static func ordered(_ shards: [String]) throws(LoopyError) -> [String] {
        guard !shards.isEmpty else { throw LoopyError(.malformed, "no shards were given") }
        let paths = shards.map { URL(fileURLWithPath: $0).standardizedFileURL.path }
        let ordered = paths.sorted { (name($0), $0) < (name($1), $1) }
        for (one, other) in zip(ordered, ordered.dropFirst()) where name(one) == name(other) {
            throw LoopyError(.malformed, "two shards have one name: \(one) and \(other)")
        }
        return ordered
    }

    private static func name(_ path: String) -> String { (path as NSString).lastPathComponent }

    private static func size(_ path: String) -> String {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        return "\(attributes?[.size] as? Int ?? 0) bytes"
    }

    private func begin(epoch: Int) {
        position = Position(epoch: epoch)
        counts = Counts()
        numbers = SeededNumbers("buffer", "\(settings.seed)", "\(epoch)")
        var drawing = SeededNumbers("shards", "\(settings.seed)", "\(epoch)")
        order = drawing.permutation(shards.count)
        clips = nil
    }

    /// Draws the next window.
    ///
    /// - Throws: `LoopyError` that names shard, clip and member.
    public func next() throws -> ClipWindow { try draw { try read($0).window() } }

    /// Passes over the next window, which is not read where the stream is lazy.
    ///
    /// - Throws: as `next`.
    public func skip() throws { try draw { _ in } }

    /// Draws a window from the buffer; nothing has changed when `take` throws.
    private func draw<Result>(_ take: (WaitingWindow) throws -> Result) throws -> Result {
        try fill()
        var drawing = numbers
        let index = drawing.below(buffer.count)
        let result = try take(buffer[index])
        numbers = drawing
        buffer.swapAt(index, buffer.count - 1)
        buffer.removeLast()
        position.handedOut += 1
        return result
    }

    private func read(_ window: WaitingWindow) throws -> StoredWindow {
        try window.stored ?? windows([window.position])[0]  // one for each position
    }

    private func fill() throws {
        let least = max(1, settings.shuffle / 8)
        while buffer.count < min(settings.shuffle, least + position.handedOut) {
            if try readClip() { continue }
            guard buffer.isEmpty else { return }
            guard counts.clips > 0 else {
                let folders = Set(shards.map { ($0 as NSString).deletingLastPathComponent })
                throw LoopyError(
                    .malformed,
                    "\(folders.sorted().joined(separator: ", ")): none of \(counts.skipped) clips "
                        + "has \(settings.frames) frames")
            }
            begin(epoch: position.epoch + 1)
        }
    }

    /// Reads windows of the next clip into the buffer; false at the epoch's end.
    private func readClip() throws -> Bool {
        while position.group * Self.shardsTogether < order.count {
            let clips = try mixedClips()
            guard position.clip < clips.count else {
                (position.group, position.clip) = (position.group + 1, 0)
                self.clips = nil
                continue
            }
            let index = clips[position.clip].shard
            let shard = try shard(index)
            let clip = shard.clips[clips[position.clip].clip]
            let frames = try reader.frames(shard, clip)
            if frames < settings.frames {
                counts.skipped += 1
            } else {
                var drawing = SeededNumbers(
                    "clip", "\(settings.seed)", "\(position.epoch)", clip.key)
                let positions = (0..<settings.windowsPerClip).map { _ in
                    WindowPosition(
                        shard: index, key: clip.key,
                        start: drawing.below(frames - settings.frames + 1),
                        reference: drawing.below(frames))
                }
                if isLazy {
                    buffer += positions.map { WaitingWindow(position: $0, stored: nil) }
                } else {
                    buffer += try reader.windows(shard, clip, count: frames, positions).map {
                        WaitingWindow(position: $0.position, stored: $0)
                    }
                }
                counts.clips += 1
            }
            position.clip += 1
            return true
        }
        return false
    }

    /// The clips of the shards whose turn it is, mixed.
    private func mixedClips() throws -> [ClipPosition] {
        if let clips { return clips }
        let first = position.group * Self.shardsTogether
        let ordered = try order[first...].prefix(Self.shardsTogether).flatMap { index in
            try shard(index).clips.indices.map { ClipPosition(shard: index, clip: $0) }
        }
        var drawing = SeededNumbers(
            "clips", "\(settings.seed)", "\(position.epoch)", "\(position.group)")
        let mixed = drawing.permutation(ordered.count).map { ordered[$0] }
        clips = mixed
        return mixed
    }

    private func shard(_ index: Int) throws -> Shard {
        if let open = openShards.first(where: { $0.index == index }) { return open.shard }
        let shard = try Shard(shards[index])
        // What waits in a lazy stream may be of the shards whose turn was before.
        let kept = (isLazy ? 2 : 1) * Self.shardsTogether - 1
        openShards = openShards.suffix(kept) + [(index, shard)]
        return shard
    }

    // MARK: State

    /// Where a stream stands, the windows in its buffer included.
    public struct State: Codable, Sendable, Equatable {
        fileprivate var shards: [String]
        /// Nil in checkpoints of earlier versions, which knew shards by their names alone.
        fileprivate var contents: [String]?
        fileprivate var settings: WindowSettings
        /// How many shards are open together; nil in checkpoints of earlier versions, which read one
        /// after the other.
        fileprivate var shardsTogether: Int?
        fileprivate var position: Position
        fileprivate var numbers: SeededNumbers
        fileprivate var counts: Counts
        fileprivate var buffer: [WindowPosition]

        /// The number of the epoch, which is the number of those that are over.
        public var epoch: Int { position.epoch }
    }

    public var state: State {
        State(
            shards: names, contents: contents, settings: settings,
            shardsTogether: Self.shardsTogether, position: position, numbers: numbers,
            counts: counts, buffer: buffer.map(\.position))
    }

    /// What is not as it was when a state was taken, in words; nil where nothing has changed.
    private func difference(from state: State) -> String? {
        var differences: [String] = []
        if state.shards != names || state.contents ?? contents != contents {
            let former = Set(zip(state.shards, state.contents ?? []).map { $0 + " " + $1 })
            let kept = zip(names, contents).filter { former.contains($0 + " " + $1) }.count
            let instead =
                state.shards.count == names.count ? "" : " instead of \(state.shards.count)"
            differences.append("\(names.count) shards\(instead), \(kept) of them as they were")
        }
        let numbers: [(String, KeyPath<WindowSettings, Int>)] = [
            ("data.shuffle", \.shuffle), ("data.windows_per_clip", \.windowsPerClip),
            ("frames", \.frames), ("motion frames", \.motionFrames), ("seed", \.seed),
        ]
        for (name, number) in numbers
        where settings[keyPath: number] != state.settings[keyPath: number] {
            differences.append(
                "\(name) \(settings[keyPath: number]) instead of \(state.settings[keyPath: number])"
            )
        }
        if state.shardsTogether != Self.shardsTogether {
            differences.append("clips in another order")
        }
        return differences.isEmpty ? nil : differences.joined(separator: ", ")
    }

    /// Reads windows again, each clip once.
    private func windows(_ positions: [WindowPosition]) throws -> [StoredWindow] {
        var windows: [Int: StoredWindow] = [:]
        let clips = Dictionary(grouping: positions.indices) { ClipName(positions[$0]) }
        for (name, indices) in clips.sorted(by: { $0.key < $1.key }) {
            let wanted = indices.map { positions[$0] }
            let shard = try shard(name.shard)
            guard let clip = shard.clip(name.key) else {
                throw LoopyError(
                    .mismatch, "\(shard.path): holds no clip \(name.key) any more")
            }
            let frames = try reader.frames(shard, clip)
            guard
                wanted.allSatisfy({ $0.start + settings.frames <= frames && $0.reference < frames })
            else {
                throw LoopyError(
                    .mismatch, "\(shard.path): clip \(name.key) is shorter than it was")
            }
            let read = try reader.windows(shard, clip, count: frames, wanted)
            for (index, window) in zip(indices, read) { windows[index] = window }
        }
        return positions.indices.compactMap { windows[$0] }
    }

    private struct ClipName: Hashable, Comparable {
        var shard: Int
        var key: String

        init(_ position: WindowPosition) {
            (shard, key) = (position.shard, position.key)
        }

        static func < (a: ClipName, b: ClipName) -> Bool { (a.shard, a.key) < (b.shard, b.key) }
    }
}

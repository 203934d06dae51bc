import Errors
import Foundation
import Torch

/// Windows drawn from shards, without end: epoch follows epoch, and each draws the order of the shards
/// and `windowsPerClip` windows of every clip anew, from the seed and its number. Belongs to one thread
/// at a time.
///
/// Shards are read from beginning to end, a clip at a time; windows come out of a buffer in random
/// order. It grows as an epoch goes on, two windows in for one out, so that the first need not wait
/// for all of it, and is empty at the epoch's end.
public final class WindowStream {
    public let settings: WindowSettings
    /// Paths of the shards, in the order of their names.
    public let shards: [String]
    /// Of the epoch being read, so far.
    public private(set) var counts = Counts()
    /// Of the shards' files.
    private let names: [String]
    private let reader: ClipReader
    private var place = Place()
    /// Indices of the shards in the epoch's order.
    private var order: [Int] = []
    /// What is drawn from the buffer.
    private var numbers = SeededNumbers()
    private var buffer: [StoredWindow] = []
    private var openShard: (index: Int, shard: Shard)?

    public struct Counts: Codable, Sendable, Equatable {
        /// Clips of which windows were drawn.
        public var clips = 0
        /// Clips passed over because they are shorter than a window.
        public var passedOver = 0
    }

    /// What is read and handed out next.
    fileprivate struct Place: Codable, Equatable {
        var epoch = 0
        /// In the epoch's order.
        var shard = 0
        /// In the shard.
        var clip = 0
        /// Windows of the epoch so far.
        var handedOut = 0
    }

    /// - Parameters:
    ///   - shards: paths of archives with names of their own.
    ///   - encoder: makes latents for clips that have none in the shards.
    ///   - state: of a stream of the same shards and settings; this one goes on from there, and yields
    ///     bit for bit what that one would have.
    /// - Throws: `LoopyError` `.configuration` for settings that cannot be used, `.shards`,
    ///   `.checkpoint` for the state of other shards or settings; what reading clips throws.
    public init(
        shards: [String], settings: WindowSettings, encoder: FrameEncoder? = nil,
        restoring state: State? = nil
    ) throws {
        try settings.validate()
        self.settings = settings
        self.shards = try Self.ordered(shards)
        names = self.shards.map(Self.name)
        reader = ClipReader(settings, encoder)
        begin(epoch: state?.place.epoch ?? 0)
        guard let state else { return }
        guard state.settings == settings, state.shards == names else {
            throw LoopyError(
                .mismatch,
                "the state of the data belongs to "
                    + (state.settings == settings ? "other shards" : "other settings of the data")
                    + "; go on with the same ones, or begin a new run")
        }
        (place, numbers, counts) = (state.place, state.numbers, state.counts)
        buffer = try windows(state.buffer)
    }

    /// In the order of their names, whatever order they were listed in.
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

    private func begin(epoch: Int) {
        place = Place(epoch: epoch)
        counts = Counts()
        numbers = SeededNumbers("buffer", "\(settings.seed)", "\(epoch)")
        var drawing = SeededNumbers("shards", "\(settings.seed)", "\(epoch)")
        order = drawing.permutation(shards.count)
    }

    /// The next window.
    ///
    /// - Throws: `LoopyError` and `LoopyError` that name shard, clip and member; `LoopyError` for
    ///   videos.
    public func next() throws -> ClipWindow {
        try fill()
        var drawing = numbers
        let index = drawing.below(buffer.count)
        let window = try buffer[index].window()
        // Nothing has changed when that throws.
        numbers = drawing
        buffer.swapAt(index, buffer.count - 1)
        buffer.removeLast()
        place.handedOut += 1
        return window
    }

    private func fill() throws {
        let least = max(1, settings.shuffle / 8)
        while buffer.count < min(settings.shuffle, least + place.handedOut) {
            if try readClip() { continue }
            guard buffer.isEmpty else { return }
            guard counts.clips > 0 else {
                let folders = Set(shards.map { ($0 as NSString).deletingLastPathComponent })
                throw LoopyError(
                    .malformed,
                    "\(folders.sorted().joined(separator: ", ")): none of \(counts.passedOver) clips "
                        + "has \(settings.frames) frames")
            }
            begin(epoch: place.epoch + 1)
        }
    }

    /// Reads windows of the next clip into the buffer; false at the epoch's end.
    private func readClip() throws -> Bool {
        while place.shard < order.count {
            let index = order[place.shard]
            let shard = try shard(index)
            guard place.clip < shard.clips.count else {
                (place.shard, place.clip) = (place.shard + 1, 0)
                continue
            }
            let clip = shard.clips[place.clip]
            let frames = try reader.frames(shard, clip)
            if frames < settings.frames {
                counts.passedOver += 1
            } else {
                var drawing = SeededNumbers("clip", "\(settings.seed)", "\(place.epoch)", clip.key)
                let places = (0..<settings.windowsPerClip).map { _ in
                    WindowPlace(
                        shard: index, key: clip.key,
                        start: drawing.below(frames - settings.frames + 1),
                        reference: drawing.below(frames))
                }
                buffer += try reader.windows(shard, clip, count: frames, places)
                counts.clips += 1
            }
            place.clip += 1
            return true
        }
        return false
    }

    private func shard(_ index: Int) throws -> Shard {
        if let openShard, openShard.index == index { return openShard.shard }
        let shard = try Shard(shards[index])
        openShard = (index, shard)
        return shard
    }

    // MARK: State

    /// Where a stream stands, the windows in its buffer included.
    public struct State: Codable, Sendable, Equatable {
        fileprivate var shards: [String]
        fileprivate var settings: WindowSettings
        fileprivate var place: Place
        fileprivate var numbers: SeededNumbers
        fileprivate var counts: Counts
        fileprivate var buffer: [WindowPlace]

        /// Epochs that are over.
        public var epoch: Int { place.epoch }
    }

    public var state: State {
        State(
            shards: names, settings: settings, place: place, numbers: numbers,
            counts: counts, buffer: buffer.map(\.place))
    }

    /// Reads windows again, each clip once.
    private func windows(_ places: [WindowPlace]) throws -> [StoredWindow] {
        var windows: [Int: StoredWindow] = [:]
        let clips = Dictionary(grouping: places.indices) { ClipName(places[$0]) }
        for (name, indices) in clips.sorted(by: { $0.key < $1.key }) {
            let wanted = indices.map { places[$0] }
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
        return places.indices.compactMap { windows[$0] }
    }

    private struct ClipName: Hashable, Comparable {
        var shard: Int
        var key: String

        init(_ place: WindowPlace) { (shard, key) = (place.shard, place.key) }

        static func < (a: ClipName, b: ClipName) -> Bool { (a.shard, a.key) < (b.shard, b.key) }
    }
}

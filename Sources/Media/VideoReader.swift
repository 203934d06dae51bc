import CFFmpeg
import Errors

/// A picture and where it stands on the 25 fps grid.
public struct GridFrame: Sendable {
    /// The grid index: the picture is shown at `index / 25` seconds after the source's first picture.
    public let index: Int
    public let frame: VideoFrame
    /// True when the source has no new picture here and the one before is shown again.
    public let isRepeat: Bool

    package init(index: Int, frame: VideoFrame, isRepeat: Bool) {
        (self.index, self.frame, self.isRepeat) = (index, frame, isRepeat)
    }
}

/// Decodes one video file into upright pictures on an exact 25 fps grid.
///
/// Rotation and pixel aspect are answered by each frame's `Orientation`, interlaced pictures are
/// deinterlaced, missing and backward timestamps are repaired, and picture n is the one that
/// FFmpeg's `fps=25` filter would choose. Belongs to one thread at a time.
public final class VideoReader {
    /// The source's time line; index 0 of the grid is its first picture.
    public private(set) var clock: VideoClock
    private var decoder: PictureDecoder
    private let range: Range<Int>

    /// The picture being shown and the one after it, with the grid indices at which they take effect.
    private var current: (frame: VideoFrame, index: Int)?
    private var following: (frame: VideoFrame, index: Int)?
    private var nextIndex: Int
    /// The grid index at which the picture decoded last ceases to be shown.
    private var lastPictureEnd = 0
    /// The grid index at which the source ends, once it is known.
    private var endIndex: Int?

    /// - Parameters:
    ///   - bytes: the part of the file to read, where the video is a member of an archive.
    ///   - clock: the source's time line as an earlier reader found it; nil finds it by decoding
    ///     the first picture.
    ///   - range: the grid indices wanted; reading ends early where the source does.
    ///   - threads: the number of decoding threads; 0 for one a processor.
    /// - Throws: `LoopyError` when the file cannot be opened, has no video, or gives no picture.
    public convenience init(
        path: String, bytes: Range<Int>? = nil, clock: VideoClock? = nil,
        range: Range<Int> = 0..<Int.max, threads: Int = 0, limits: MediaLimits = MediaLimits()
    ) throws {
        try self.init(
            path: path, bytes: bytes, accepting: acceptedContainers, clock: clock, range: range,
            threads: threads, limits: limits)
    }

    /// The picture of an image file, or the first one of a video.
    ///
    /// - Throws: `LoopyError`, as for a video.
    public static func firstPicture(
        path: String, limits: MediaLimits = MediaLimits()
    ) throws -> VideoFrame {
        let reader = try VideoReader(
            path: path, bytes: nil, accepting: acceptedContainers + acceptedPictures, clock: nil,
            range: 0..<1, threads: 1, limits: limits)
        guard let picture = try reader.next()?.frame else {
            throw LoopyError(.undecodable, "no picture of it can be decoded", path: path)
        }
        return picture
    }

    private init(
        path: String, bytes: Range<Int>?, accepting formats: [String], clock: VideoClock?,
        range: Range<Int>, threads: Int, limits: MediaLimits
    ) throws {
        decoder = try PictureDecoder(
            path: path, bytes: bytes, accepting: formats, threads: threads, limits: limits)
        self.range = range
        nextIndex = range.lowerBound
        let timeBase = decoder.timeBase
        self.clock =
            clock ?? VideoClock(start: 0, numerator: timeBase.num, denominator: timeBase.den)

        guard clock == nil else {
            guard self.clock.timeBase == timeBase else {
                throw LoopyError(.unreadable, "changed since it was ingested", path: path)
            }
            try start(at: range.lowerBound)
            return
        }
        guard let (first, timestamp) = try decoder.next() else {
            throw LoopyError(.undecodable, "no picture of it can be decoded", path: path)
        }
        self.clock.start = timestamp
        hold(first, timestamp)
    }

    /// The next picture of the grid; nil at the end of the range or of the source.
    public func next() throws -> GridFrame? {
        guard nextIndex < range.upperBound else { return nil }
        while endIndex == nil, following.map({ $0.index <= nextIndex }) ?? true {
            if let following { current = following }
            following = nil
            try pull()
        }
        // Only a source whose index lies can make the first picture come late.
        guard let shown = current ?? following else { return nil }
        if let endIndex, nextIndex >= endIndex { return nil }
        defer { nextIndex += 1 }
        return GridFrame(
            index: nextIndex, frame: shown.frame, isRepeat: shown.index < nextIndex)
    }

    /// Decodes one picture into `following`, or finds where the source ends.
    private func pull() throws {
        if let (picture, timestamp) = try decoder.next() {
            hold(picture, timestamp)
        } else {
            // As the `fps` filter counts, but a source with a picture has at least one.
            endIndex = current == nil ? 0 : max(1, lastPictureEnd)
        }
    }

    private func hold(_ picture: VideoFrame, _ timestamp: Int64) {
        let shown = clock.shownDuration(
            stated: loopy_frame_duration(picture.frame.pointer), nominal: decoder.nominalDuration)
        lastPictureEnd = clock.gridIndex(timestamp + shown)
        following = (picture, clock.gridIndex(timestamp))
    }

    /// Seeks so that the picture shown at `index` is among those decoded from here on. Where the
    /// container's index is wrong or missing, decoding starts at the beginning.
    private func start(at index: Int) throws {
        guard index > 0, clock.isRegular else { return }
        // Some containers seek by decoding time, which is earlier than the time of showing.
        let margin = Grid.framesPerSecond / 2
        if decoder.seek(to: clock.timestamp(gridIndex: max(0, index - margin))) {
            try pull()
            if let following, following.index <= index, decoder.isTimed { return }
        }
        decoder = try decoder.reopened()
        (following, endIndex) = (nil, nil)
    }
}

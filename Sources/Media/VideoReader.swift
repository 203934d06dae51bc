import CFFmpeg
import Errors

/// A picture and where it stands on the 25 fps grid.
public struct GridFrame: Sendable {
    /// Grid index: the picture is shown at `index / 25` seconds after the source's first picture.
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
    private var container: Container
    private var decoder: Decoder
    private let streamIndex: Int
    private let formats: [String]
    private let threads: Int
    private let range: Range<Int>

    private let packet: UnsafeMutablePointer<AVPacket>
    private var packetsEnded = false
    /// After a seek, packets before the first key frame would decode to garbage.
    private var awaitsKeyFrame = false
    private var deinterlacer: FilterGraph?
    private var deinterlaced: [UnsafeMutablePointer<AVFrame>] = []
    private var repair: TimestampRepair
    private let nominalDuration: Int64
    /// Converts pictures of formats that cannot be sampled as they are; made when one comes.
    private var scaler: OpaquePointer?

    /// The picture being shown and the one after it, with the grid indices at which they take effect.
    private var current: (frame: VideoFrame, index: Int)?
    private var following: (frame: VideoFrame, index: Int)?
    private var nextIndex: Int
    /// Where the picture decoded last ceases to be shown, and, once known, where the source ends.
    private var lastPictureEnd = 0
    private var endIndex: Int?

    /// - Parameters:
    ///   - bytes: the part of the file to read, where the video is a member of an archive.
    ///   - clock: the source's time line as an earlier reader found it; nil finds it by decoding
    ///     the first picture.
    ///   - range: grid indices wanted; reading ends early where the source does.
    ///   - threads: decoding threads; 0 for one a processor.
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
        self.formats = formats
        (container, decoder, streamIndex) = try VideoReader.open(
            path, bytes, formats, threads, limits)
        self.threads = threads
        self.range = range
        nextIndex = range.lowerBound

        let stream = container.stream(streamIndex)
        let timeBase = stream.pointee.time_base
        let found =
            clock ?? VideoClock(start: 0, numerator: timeBase.num, denominator: timeBase.den)
        self.clock = found
        nominalDuration = container.nominalDuration(streamIndex)
        repair = TimestampRepair(
            nominalDuration: nominalDuration, longestPause: found.longestPause)
        guard let allocated = av_packet_alloc() else {
            throw LoopyError(.processing, "out of memory for a packet", path: path)
        }
        packet = allocated

        guard clock == nil else {
            guard found.timeBase == timeBase else {
                throw LoopyError(.unreadable, "changed since it was ingested", path: path)
            }
            try start(at: range.lowerBound)
            return
        }
        guard let (first, timestamp) = try decodeNext() else {
            throw LoopyError(.undecodable, "no picture of it can be decoded", path: path)
        }
        self.clock.start = timestamp
        hold(first, timestamp)
    }

    deinit {
        for frame in deinterlaced { free(frame) }
        sws_freeContext(scaler)
        var freeing: UnsafeMutablePointer<AVPacket>? = packet
        av_packet_free(&freeing)
    }

    private static func open(
        _ path: String, _ bytes: Range<Int>?, _ formats: [String], _ threads: Int,
        _ limits: MediaLimits
    ) throws -> (Container, Decoder, Int) {
        let container = try Container(
            path: path, bytes: bytes, accepting: formats, limits: limits)
        guard let index = container.bestStream(AVMEDIA_TYPE_VIDEO) else {
            throw LoopyError(.noVideo, "has no video stream that can be decoded", path: path)
        }
        container.readOnly(index)
        let decoder = try Decoder(
            container.stream(index), threads: threads, limits: limits, path: path)
        return (container, decoder, index)
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
        if let (frame, timestamp) = try decodeNext() {
            hold(frame, timestamp)
        } else {
            // As the `fps` filter counts, but a source with a picture has at least one.
            endIndex = current == nil ? 0 : max(1, lastPictureEnd)
        }
    }

    private func hold(_ frame: UnsafeMutablePointer<AVFrame>, _ timestamp: Int64) {
        let shown = clock.shownDuration(
            stated: loopy_frame_duration(frame), nominal: nominalDuration)
        lastPictureEnd = clock.gridIndex(timestamp + shown)
        let picture = VideoFrame(taking: frame, orientation: orientation(of: frame.pointee))
        following = (picture, clock.gridIndex(timestamp))
    }

    /// Seeks so that the picture shown at `index` is among those decoded from here on. Where the
    /// container's index is wrong or missing, decoding starts at the beginning.
    private func start(at index: Int) throws {
        guard index > 0, clock.isRegular else { return }
        // Some containers seek by decoding time, which is earlier than the time of showing.
        let margin = Grid.framesPerSecond / 2
        let target = clock.timestamp(gridIndex: max(0, index - margin))
        if container.seek(streamIndex, to: target) {
            awaitsKeyFrame = true
            try pull()
            if let following, following.index <= index, repair.untimed == 0 { return }
        }
        (container, decoder, _) = try VideoReader.open(
            container.path, container.bytes, formats, threads, container.limits)
        for frame in deinterlaced { free(frame) }
        (deinterlacer, deinterlaced, packetsEnded, awaitsKeyFrame) = (nil, [], false, false)
        (following, endIndex) = (nil, nil)
        repair = TimestampRepair(
            nominalDuration: nominalDuration, longestPause: clock.longestPause)
    }

    private func orientation(of frame: AVFrame) -> Orientation {
        let stream = container.stream(streamIndex)
        var aspect = frame.sample_aspect_ratio
        if aspect.num <= 0 || aspect.den <= 0 {
            aspect = stream.pointee.codecpar.pointee.sample_aspect_ratio
        }
        let ratio = aspect.num > 0 && aspect.den > 0 ? Double(aspect.num) / Double(aspect.den) : 1
        let photo = Orientation.matrix(exif: exifOrientation(of: frame))
        return Orientation(
            codedWidth: Int(frame.width), codedHeight: Int(frame.height),
            matrix: loopy_stream_display_matrix(stream).map {
                Array(UnsafeBufferPointer(start: $0, count: 9))
            } ?? photo,
            // Absurd aspects are header noise.
            pixelAspect: (0.25...4).contains(ratio) ? ratio : 1)
    }

    /// How a camera was held, 1 to 8, where a photo says so.
    private func exifOrientation(of frame: AVFrame) -> Int {
        guard let entry = av_dict_get(frame.metadata, "Orientation", nil, 0),
            let text = entry.pointee.value
        else { return 1 }
        return Int(String(cString: text).filter(\.isNumber)) ?? 1
    }
}

// MARK: - Decoding

extension VideoReader {
    /// The next decoded, deinterlaced, readable picture and its repaired timestamp.
    private func decodeNext() throws -> (UnsafeMutablePointer<AVFrame>, Int64)? {
        while true {
            if !deinterlaced.isEmpty { return try timed(deinterlaced.removeFirst()) }
            guard let frame = receive() else {
                guard try drainDeinterlacer() else { return nil }
                continue
            }
            let changed = deinterlacer.map { !$0.accepts(frame.pointee) } ?? false
            if changed, try drainDeinterlacer() {
                // Its last pictures come before this one.
                deinterlaced.append(frame)
                continue
            }
            if deinterlacer == nil, loopy_frame_is_interlaced(frame) != 0 {
                deinterlacer = try FilterGraph(
                    "bwdif=mode=send_frame:deint=interlaced", like: frame.pointee,
                    timeBase: clock.timeBase, threads: 1)
            }
            guard let deinterlacer else { return try timed(frame) }
            defer { free(frame) }
            frame.pointee.pts = frame.pointee.best_effort_timestamp
            try deinterlace(frame, with: deinterlacer)
        }
    }

    /// Ends the deinterlacer; true when that gave pictures.
    private func drainDeinterlacer() throws -> Bool {
        guard let ending = deinterlacer else { return false }
        deinterlacer = nil
        try deinterlace(nil, with: ending)
        return !deinterlaced.isEmpty
    }

    private func deinterlace(
        _ frame: UnsafeMutablePointer<AVFrame>?, with graph: FilterGraph
    ) throws {
        for ready in try graph.push(frame) {
            // The filter ticks twice as fast as the stream.
            if ready.pointee.pts != loopy_no_pts {
                ready.pointee.best_effort_timestamp = av_rescale_q(
                    ready.pointee.pts, graph.timeBase, clock.timeBase)
            }
            deinterlaced.append(ready)
        }
    }

    private func timed(
        _ frame: UnsafeMutablePointer<AVFrame>
    ) throws -> (UnsafeMutablePointer<AVFrame>, Int64) {
        let timestamp = repair.repaired(frame.pointee.best_effort_timestamp)
        return (try readable(frame), timestamp)
    }

    /// One picture from the decoder; nil at the end. Packets that cannot be decoded are passed over.
    private func receive() -> UnsafeMutablePointer<AVFrame>? {
        guard let frame = av_frame_alloc() else { return nil }
        // A decoder that is drained reports the packets that it could not decode, one by one.
        var failuresLeft = 1000
        while true {
            let status = avcodec_receive_frame(decoder.context, frame)
            if status >= 0, frame.pointee.width > 0, frame.pointee.height > 0 { return frame }
            if status == loopy_error_eof { break }
            if packetsEnded {
                failuresLeft -= 1
                if status == loopy_error_again || failuresLeft == 0 { break }
                continue
            }
            if container.nextPacket(of: streamIndex, into: packet) {
                if awaitsKeyFrame, packet.pointee.flags & AV_PKT_FLAG_KEY == 0 { continue }
                awaitsKeyFrame = false
                _ = avcodec_send_packet(decoder.context, packet)
            } else {
                packetsEnded = true
                _ = avcodec_send_packet(decoder.context, nil)
            }
        }
        free(frame)
        return nil
    }

    /// RGB, palettes and big-endian formats become planar 4:4:4; others pass as they are.
    /// Takes over the picture it is given.
    private func readable(
        _ frame: UnsafeMutablePointer<AVFrame>
    ) throws -> UnsafeMutablePointer<AVFrame> {
        let format = AVPixelFormat(frame.pointee.format)
        guard !VideoFrame.isReadable(format) else { return frame }
        defer { free(frame) }
        let (width, height) = (frame.pointee.width, frame.pointee.height)
        scaler = sws_getCachedContext(
            scaler, width, height, format, width, height, AV_PIX_FMT_YUV444P, SWS_BILINEAR, nil,
            nil, nil)
        guard let scaler, let converted = av_frame_alloc() else {
            let name = av_get_pix_fmt_name(format).map { String(cString: $0) } ?? "unknown"
            throw LoopyError(
                .undecodable, "has pictures of the format '\(name)', which cannot be converted",
                path: container.path)
        }
        av_frame_copy_props(converted, frame)
        converted.pointee.format = AV_PIX_FMT_YUV444P.rawValue
        converted.pointee.width = width
        converted.pointee.height = height
        if !VideoFrame.isColourDifference(format) {
            // What swscale makes of RGB and gray; Y'CbCr keeps its own matrix and range.
            converted.pointee.colorspace = AVCOL_SPC_SMPTE170M
            converted.pointee.color_range = AVCOL_RANGE_MPEG
        }
        do {
            try check(
                av_frame_get_buffer(converted, 0), .processing, "out of memory for a picture",
                path: container.path)
            try check(
                sws_scale_frame(scaler, converted, frame), .undecodable,
                "cannot convert a picture", path: container.path)
        } catch {
            free(converted)
            throw error
        }
        return converted
    }
}

func free(_ frame: UnsafeMutablePointer<AVFrame>) {
    var freeing: UnsafeMutablePointer<AVFrame>? = frame
    av_frame_free(&freeing)
}

extension AVRational {
    var inverted: AVRational { AVRational(num: den, den: num) }

    static func == (a: AVRational, b: AVRational) -> Bool { a.num == b.num && a.den == b.den }
}

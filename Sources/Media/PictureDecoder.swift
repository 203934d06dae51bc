import CFFmpeg
import Errors

/// Decodes the pictures of a file's video one after the other: deinterlaced, in formats that can be
/// sampled, and each later than the one before. Belongs to one thread at a time.
final class PictureDecoder {
    private let container: Container
    private let decoder: CodecContext
    private let index: Int
    private let formats: [String]
    private let threads: Int
    let timeBase: AVRational
    /// The number of ticks that a picture is shown whose packet does not say it.
    let nominalDuration: Int64

    private let packet: Packet
    private var packetsEnded = false
    /// After a seek, packets before the first key frame would decode to garbage.
    private var awaitsKeyFrame = false
    private var deinterlacer: FilterGraph?
    private var deinterlaced: [Frame] = []
    private var repair: TimestampRepair
    private var converter = FormatConverter()

    /// - Parameters:
    ///   - bytes: the part of the file to read, where the video is a member of an archive.
    ///   - formats: the demuxers that are offered to the file.
    ///   - threads: the number of decoding threads; 0 for one a processor.
    /// - Throws: `LoopyError` when the file cannot be opened or has no video.
    init(
        path: String, bytes: Range<Int>?, accepting formats: [String], threads: Int,
        limits: MediaLimits
    ) throws {
        container = try Container(path: path, bytes: bytes, accepting: formats, limits: limits)
        guard let index = container.bestStream(AVMEDIA_TYPE_VIDEO) else {
            throw LoopyError(.noVideo, "has no video stream that can be decoded", path: path)
        }
        container.readOnly(index)
        let stream = container.stream(index)
        decoder = try CodecContext.decoder(
            of: stream, threads: threads, limits: limits, path: path)
        self.index = index
        self.formats = formats
        self.threads = threads
        timeBase = stream.pointee.time_base
        nominalDuration = container.nominalDuration(index)
        repair = TimestampRepair(
            nominalDuration: nominalDuration, longestPause: VideoClock.longestPause(timeBase))
        packet = try Packet()
    }

    /// A decoder of the same video, at its beginning.
    func reopened() throws -> PictureDecoder {
        try PictureDecoder(
            path: container.path, bytes: container.bytes, accepting: formats, threads: threads,
            limits: container.limits)
    }

    /// Goes to the last key frame at or before `timestamp`; false when the container cannot.
    func seek(to timestamp: Int64) -> Bool {
        guard container.seek(index, to: timestamp) else { return false }
        awaitsKeyFrame = true
        return true
    }

    /// Whether every picture so far had a timestamp of its own.
    var isTimed: Bool { repair.untimed == 0 }

    /// The next picture and its timestamp; nil at the end.
    func next() throws -> (picture: VideoFrame, timestamp: Int64)? {
        guard let frame = try nextProgressive() else { return nil }
        let timestamp = repair.repaired(frame.best_effort_timestamp)
        let readable = try converter.readable(frame, path: container.path)
        return (VideoFrame(readable, orientation: orientation(of: readable)), timestamp)
    }

    private func nextProgressive() throws -> Frame? {
        while true {
            if !deinterlaced.isEmpty { return deinterlaced.removeFirst() }
            guard let frame = try receive() else {
                guard try drainDeinterlacer() else { return nil }
                continue
            }
            let changed = deinterlacer.map { !$0.accepts(frame) } ?? false
            if changed, try drainDeinterlacer() {
                // Its last pictures come before this one.
                deinterlaced.append(frame)
                continue
            }
            if deinterlacer == nil, loopy_frame_is_interlaced(frame.pointer) != 0 {
                deinterlacer = try FilterGraph(
                    "bwdif=mode=send_frame:deint=interlaced", like: frame, timeBase: timeBase,
                    threads: 1)
            }
            guard let deinterlacer else { return frame }
            frame.pts = frame.best_effort_timestamp
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

    private func deinterlace(_ frame: Frame?, with graph: FilterGraph) throws {
        for ready in try graph.push(frame) {
            // The filter ticks twice as fast as the stream.
            if ready.pts != loopy_no_pts {
                ready.best_effort_timestamp = av_rescale_q(ready.pts, graph.timeBase, timeBase)
            }
            deinterlaced.append(ready)
        }
    }

    /// One picture from the decoder; nil at the end. Packets that cannot be decoded are skipped.
    private func receive() throws -> Frame? {
        let frame = try Frame()
        // A decoder that is drained reports the packets that it could not decode, one by one.
        var failuresLeft = 1000
        while true {
            let status = decoder.receive(into: frame)
            if status >= 0, frame.width > 0, frame.height > 0 { return frame }
            if status == loopy_error_eof { return nil }
            if packetsEnded {
                failuresLeft -= 1
                if status == loopy_error_again || failuresLeft == 0 { return nil }
                continue
            }
            if container.nextPacket(of: index, into: packet) {
                if awaitsKeyFrame, packet.flags & AV_PKT_FLAG_KEY == 0 { continue }
                awaitsKeyFrame = false
                _ = decoder.send(packet)
            } else {
                packetsEnded = true
                _ = decoder.send(nil as Packet?)
            }
        }
    }

    private func orientation(of frame: Frame) -> Orientation {
        let stream = container.stream(index)
        // What the container says corrects what the codec does, as in players.
        var aspect = av_guess_sample_aspect_ratio(container.context.pointer, stream, frame.pointer)
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
    private func exifOrientation(of frame: Frame) -> Int {
        guard let entry = av_dict_get(frame.metadata, "Orientation", nil, 0),
            let text = entry.pointee.value
        else { return 1 }
        return Int(String(cString: text).filter(\.isNumber)) ?? 1
    }
}

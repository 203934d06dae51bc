import CFFmpeg
import Errors
import Foundation

/// An open media file: its streams and its packets. Belongs to one thread at a time.
final class Container {
    let path: String
    let limits: MediaLimits
    let bytes: Range<Int>?
    let context: UnsafeMutablePointer<AVFormatContext>

    /// Opens a local file as one of the accepted containers and finds its streams.
    ///
    /// - Parameters:
    ///   - bytes: the part of the file that is the media file: a member of an archive.
    ///   - accepting: demuxers that are offered to the file.
    /// - Throws: `LoopyError` `.unreadable`, `.notMedia` or `.tooLarge`.
    init(
        path: String, bytes: Range<Int>? = nil, accepting formats: [String] = acceptedContainers,
        limits: MediaLimits
    ) throws {
        self.path = path
        self.bytes = bytes
        self.limits = limits
        av_log_set_level(AV_LOG_QUIET)

        try Container.requireReadableFile(path)
        var options: OpaquePointer?
        defer { av_dict_free(&options) }
        av_dict_set(&options, "protocol_whitelist", "file,subfile", 0)
        av_dict_set(&options, "format_whitelist", formats.joined(separator: ","), 0)
        av_dict_set(&options, "probesize", String(limits.probeBytes), 0)
        let microseconds = String(Int(limits.probeSeconds * 1e6))
        av_dict_set(&options, "analyzeduration", microseconds, 0)

        var opened: UnsafeMutablePointer<AVFormatContext>?
        // "file:" keeps a name with a colon in it from being read as an address.
        let part = bytes.map { "subfile,,start,\($0.lowerBound),end,\($0.upperBound),,:" } ?? ""
        let address = part + "file:" + path
        // By its bytes alone where it may be a picture: by its name FFmpeg would take it for a pattern.
        let format = formats == acceptedContainers ? nil : Container.format(of: address)
        let status = avformat_open_input(&opened, address, format, &options)
        guard status >= 0, let opened else {
            throw LoopyError(
                .notMedia,
                "not a media file that can be read (\(describe(status))); playlists and concat "
                    + "files are refused on purpose",
                path: path)
        }
        context = opened
        try Container.refuseGigantic(opened, limits: limits, path: path)
        try check(
            avformat_find_stream_info(opened, nil), .notMedia, "cannot find the streams", path: path
        )
        try Container.refuseGigantic(opened, limits: limits, path: path)
    }

    deinit {
        var closing: UnsafeMutablePointer<AVFormatContext>? = context
        avformat_close_input(&closing)
    }

    /// What the file's first bytes say it is.
    private static func format(of address: String) -> UnsafePointer<AVInputFormat>? {
        var input: UnsafeMutablePointer<AVIOContext>?
        guard avio_open(&input, address, AVIO_FLAG_READ) >= 0 else { return nil }
        defer { avio_closep(&input) }
        var format: UnsafePointer<AVInputFormat>?
        _ = av_probe_input_buffer2(input, &format, "", nil, 0, 0)
        return format
    }

    private static func requireReadableFile(_ path: String) throws {
        var information = stat()
        guard stat(path, &information) == 0, access(path, R_OK) == 0 else {
            throw LoopyError(
                .unreadable, "cannot be read (\(String(cString: strerror(errno))))", path: path)
        }
        guard information.st_mode & S_IFMT == S_IFREG else {
            throw LoopyError(.unreadable, "is not a regular file", path: path)
        }
        guard information.st_size > 0 else {
            throw LoopyError(.notMedia, "is empty (0 bytes)", path: path)
        }
    }

    /// Sizes are checked before and after streams are probed: probing decodes frames.
    private static func refuseGigantic(
        _ context: UnsafeMutablePointer<AVFormatContext>, limits: MediaLimits, path: String
    ) throws {
        for index in 0..<Int(context.pointee.nb_streams) {
            let parameters = context.pointee.streams[index]!.pointee.codecpar.pointee
            let side = max(parameters.width, parameters.height)
            if Int(side) > limits.maximumSide {
                throw LoopyError(
                    .tooLarge,
                    "declares pictures of \(parameters.width)x\(parameters.height); the limit is "
                        + "\(limits.maximumSide) a side (limits.maximum_side)",
                    path: path)
            }
        }
        let duration = Double(context.pointee.duration) / Double(AV_TIME_BASE)
        if context.pointee.duration != loopy_no_pts, duration > limits.maximumDuration {
            throw LoopyError(
                .tooLarge,
                "declares \(Int(duration)) s; the limit is \(Int(limits.maximumDuration)) s "
                    + "(limits.maximum_duration)",
                path: path)
        }
    }

    func stream(_ index: Int) -> UnsafeMutablePointer<AVStream> {
        context.pointee.streams[index]!
    }

    /// The stream of a kind that a player would choose, with a decoder for it; nil when none is.
    func bestStream(_ kind: AVMediaType, relatedTo related: Int? = nil) -> Int? {
        func best(_ wanted: Int) -> Int? {
            var decoder: UnsafePointer<AVCodec>?
            let index = av_find_best_stream(
                context, kind, Int32(wanted), Int32(related ?? -1), &decoder, 0)
            return index >= 0 ? Int(index) : nil
        }
        guard let index = best(-1) else { return nil }
        if !isAttachedPicture(index) { return index }
        return (0..<Int(context.pointee.nb_streams)).first {
            !isAttachedPicture($0) && best($0) == $0
        }
    }

    /// Cover art is a video stream by form only.
    private func isAttachedPicture(_ index: Int) -> Bool {
        stream(index).pointee.disposition & AV_DISPOSITION_ATTACHED_PIC != 0
    }

    /// Ticks between two pictures of a stream by its average rate; 1/25 s where it states none.
    func nominalDuration(_ index: Int) -> Int64 {
        let timeBase = stream(index).pointee.time_base
        var rate = stream(index).pointee.avg_frame_rate
        if rate.num <= 0 || rate.den <= 0 { rate = Grid.timeBase.inverted }
        // Slower than a picture every ten seconds is a header's error.
        let longest = av_rescale_q(10, AVRational(num: 1, den: 1), timeBase)
        return max(1, min(longest, av_rescale_q(1, rate.inverted, timeBase)))
    }

    /// Only packets of this stream are read from now on.
    func readOnly(_ index: Int) {
        for other in 0..<Int(context.pointee.nb_streams) where other != index {
            stream(other).pointee.discard = AVDISCARD_ALL
        }
    }

    /// The next packet of stream `index`; false at the end. A read error ends the file as the end
    /// does: what was read before it stands.
    func nextPacket(of index: Int, into packet: UnsafeMutablePointer<AVPacket>) -> Bool {
        while nextPacket(into: packet) {
            if Int(packet.pointee.stream_index) == index { return true }
        }
        return false
    }

    func nextPacket(into packet: UnsafeMutablePointer<AVPacket>) -> Bool {
        av_packet_unref(packet)
        for _ in 0..<1000 {
            let status = av_read_frame(context, packet)
            if status != loopy_error_again { return status >= 0 }
        }
        return false
    }

    /// Moves to the last key frame at or before `timestamp`; false when the container cannot.
    func seek(_ index: Int, to timestamp: Int64) -> Bool {
        av_seek_frame(context, Int32(index), timestamp, AVSEEK_FLAG_BACKWARD) >= 0
    }
}

/// A decoder for one stream of a container.
final class Decoder {
    let context: UnsafeMutablePointer<AVCodecContext>

    init(
        _ stream: UnsafeMutablePointer<AVStream>, threads: Int, limits: MediaLimits, path: String
    ) throws {
        let parameters = stream.pointee.codecpar!
        guard let codec = avcodec_find_decoder(parameters.pointee.codec_id),
            let created = avcodec_alloc_context3(codec) as UnsafeMutablePointer<AVCodecContext>?
        else {
            let name = String(cString: avcodec_get_name(parameters.pointee.codec_id))
            throw LoopyError(.undecodable, "no decoder for \(name)", path: path)
        }
        context = created
        try check(
            avcodec_parameters_to_context(created, parameters), .undecodable,
            "cannot read the codec's parameters", path: path)
        created.pointee.pkt_timebase = stream.pointee.time_base
        created.pointee.thread_count = Int32(threads)
        created.pointee.thread_type = FF_THREAD_FRAME | FF_THREAD_SLICE
        created.pointee.max_pixels = Int64(limits.maximumSide) * Int64(limits.maximumSide)
        try check(
            avcodec_open2(created, codec, nil), .undecodable, "cannot open the decoder", path: path)
    }

    deinit {
        var freeing: UnsafeMutablePointer<AVCodecContext>? = context
        avcodec_free_context(&freeing)
    }
}

import CFFmpeg
import Errors
import Foundation

/// An open media file: its streams and its packets. Belongs to one thread at a time.
final class Container {
    let path: String
    let limits: MediaLimits
    let bytes: Range<Int>?
    let context: InputContext

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
        try requireReadableFile(path)
        let options = Options([
            "protocol_whitelist": "file,subfile",
            "format_whitelist": formats.joined(separator: ","),
            "probesize": String(limits.probeBytes),
            "analyzeduration": String(Int(limits.probeSeconds * 1e6)),
        ])
        // "file:" keeps a name with a colon in it from being read as an address.
        let part = bytes.map { "subfile,,start,\($0.lowerBound),end,\($0.upperBound),,:" } ?? ""
        let address = part + "file:" + path
        // By its bytes alone where it may be a picture: by its name FFmpeg would take it for a pattern.
        let format = formats == acceptedContainers ? nil : Container.format(of: address)
        context = try InputContext(address: address, format: format, options: options) {
            LoopyError(
                .notMedia,
                "not a media file that can be read (\(describe($0))); playlists and concat "
                    + "files are refused on purpose",
                path: path)
        }
        try refuseGigantic()
        try check(
            avformat_find_stream_info(context.pointer, nil), .notMedia, "cannot find the streams",
            path: path)
        try refuseGigantic()
    }

    /// What the file's first bytes say it is.
    private static func format(of address: String) -> UnsafePointer<AVInputFormat>? {
        guard let input = try? InputBytes(address: address) else { return nil }
        var format: UnsafePointer<AVInputFormat>?
        _ = av_probe_input_buffer2(input.pointer, &format, "", nil, 0, 0)
        return format
    }

    /// Sizes are checked before and after streams are probed: probing decodes frames.
    private func refuseGigantic() throws {
        for index in 0..<streamCount {
            let parameters = stream(index).pointee.codecpar.pointee
            let side = max(parameters.width, parameters.height)
            if Int(side) > limits.maximumSide {
                throw LoopyError(
                    .tooLarge,
                    "declares pictures of \(parameters.width)x\(parameters.height); the limit is "
                        + "\(limits.maximumSide) a side (limits.maximum_side)",
                    path: path)
            }
        }
        // Where no header says it, timestamps that leap make it up.
        if context.duration != loopy_no_pts,
            context.duration_estimation_method == AVFMT_DURATION_FROM_STREAM
        {
            try limits.check(
                declared: Double(context.duration) / Double(AV_TIME_BASE), path: path)
        }
    }

    private var streamCount: Int { Int(context.nb_streams) }

    func stream(_ index: Int) -> UnsafeMutablePointer<AVStream> {
        context.streams[index]!  // FFmpeg numbers them without gaps
    }

    /// The stream of a kind that a player would choose, with a decoder for it; nil when none is.
    func bestStream(_ kind: AVMediaType, relatedTo related: Int? = nil) -> Int? {
        func best(_ wanted: Int) -> Int? {
            var decoder: UnsafePointer<AVCodec>?
            let index = av_find_best_stream(
                context.pointer, kind, Int32(wanted), Int32(related ?? -1), &decoder, 0)
            return index >= 0 ? Int(index) : nil
        }
        guard let index = best(-1) else { return nil }
        if !isAttachedPicture(index) { return index }
        return (0..<streamCount).first {
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
        for other in 0..<streamCount where other != index {
            stream(other).pointee.discard = AVDISCARD_ALL
        }
    }

    /// The next packet of stream `index`; false at the end. A read error ends the file as the end
    /// does: what was read before it stands.
    func nextPacket(of index: Int, into packet: Packet) -> Bool {
        while nextPacket(into: packet) {
            if Int(packet.stream_index) == index { return true }
        }
        return false
    }

    func nextPacket(into packet: Packet) -> Bool {
        av_packet_unref(packet.pointer)
        for _ in 0..<1000 {
            let status = av_read_frame(context.pointer, packet.pointer)
            if status != loopy_error_again { return status >= 0 }
        }
        return false
    }

    /// Moves to the last key frame at or before `timestamp`; false when the container cannot.
    func seek(_ index: Int, to timestamp: Int64) -> Bool {
        av_seek_frame(context.pointer, Int32(index), timestamp, AVSEEK_FLAG_BACKWARD) >= 0
    }
}

/// Says why a file cannot be read at all, before a library tries.
func requireReadableFile(_ path: String) throws {
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

extension CodecContext {
    /// A decoder for one stream of a container.
    static func decoder(
        of stream: UnsafeMutablePointer<AVStream>, threads: Int, limits: MediaLimits, path: String
    ) throws -> CodecContext {
        let parameters = stream.pointee.codecpar!  // every stream of an opened file has them
        guard let codec = avcodec_find_decoder(parameters.pointee.codec_id) else {
            let name = String(cString: avcodec_get_name(parameters.pointee.codec_id))
            throw LoopyError(.undecodable, "no decoder for \(name)", path: path)
        }
        let decoder = try CodecContext(codec)
        try check(
            avcodec_parameters_to_context(decoder.pointer, parameters), .undecodable,
            "cannot read the codec's parameters", path: path)
        decoder.pkt_timebase = stream.pointee.time_base
        decoder.thread_count = Int32(threads)
        decoder.thread_type = FF_THREAD_FRAME | FF_THREAD_SLICE
        decoder.max_pixels = Int64(limits.maximumSide) * Int64(limits.maximumSide)
        try check(
            avcodec_open2(decoder.pointer, codec, nil), .undecodable, "cannot open the decoder",
            path: path)
        return decoder
    }
}

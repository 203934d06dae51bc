import CFFmpeg

/// What a file says of itself, with the start of its picture checked by decoding it.
public struct MediaProbe: Codable, Sendable, Equatable {
    public struct Video: Codable, Sendable, Equatable {
        public var codec: String
        /// Size of the upright picture in square pixels.
        public var width: Int
        public var height: Int
        /// Average pictures a second that the container states; 0 when it does not.
        public var framesPerSecond: Double
        public var clock: VideoClock
        /// Length on the 25 fps grid, by the packets that are really there.
        public var gridFrames: Int

        enum CodingKeys: String, CodingKey {
            case codec, width, height, clock
            case framesPerSecond = "frames_per_second"
            case gridFrames = "grid_frames"
        }
    }

    public struct Audio: Codable, Sendable, Equatable {
        public var codec: String
        public var sampleRate: Int
        public var channels: Int

        enum CodingKeys: String, CodingKey {
            case codec, channels
            case sampleRate = "sample_rate"
        }
    }

    /// The demuxer's name, such as "mov,mp4,m4a,3gp,3g2,mj2".
    public var container: String
    /// Seconds, as the container states them (0 when it does not), and seconds after which its last
    /// packet ends.
    public var duration: Double
    public var lastPacketEnd: Double
    public var video: Video
    public var audio: Audio?

    /// Opens the file, decodes its first picture and reads through its packets: headers are wrong
    /// about lengths often enough.
    ///
    /// - Throws: `MediaError` when the file cannot be read, is no media file, is beyond the limits
    ///   or has no picture that can be decoded.
    public init(path: String, limits: MediaLimits = MediaLimits()) throws {
        let container = try Container(path: path, limits: limits)
        let reader = try VideoReader(path: path, range: 0..<1, threads: 1, limits: limits)
        guard let first = try reader.next()?.frame,
            let videoIndex = container.bestStream(AVMEDIA_TYPE_VIDEO)
        else {
            throw MediaError(.undecodable, "no picture of it can be decoded", path: path)
        }
        let stream = container.stream(videoIndex).pointee
        let stated = container.context.pointee.duration
        self.container = String(cString: container.context.pointee.iformat.pointee.name)
        lastPacketEnd = 0
        duration = stated == loopy_no_pts ? 0 : Double(stated) / Double(AV_TIME_BASE)
        let rate = stream.avg_frame_rate
        video = Video(
            codec: String(cString: avcodec_get_name(stream.codecpar.pointee.codec_id)),
            width: first.width, height: first.height,
            framesPerSecond: rate.den > 0 ? Double(rate.num) / Double(rate.den) : 0,
            clock: reader.clock, gridFrames: 0)
        if let index = container.bestStream(AVMEDIA_TYPE_AUDIO, relatedTo: videoIndex) {
            let parameters = container.stream(index).pointee.codecpar.pointee
            audio = Audio(
                codec: String(cString: avcodec_get_name(parameters.codec_id)),
                sampleRate: Int(parameters.sample_rate),
                channels: Int(parameters.ch_layout.nb_channels))
        }
        (video.gridFrames, lastPacketEnd) = try MediaProbe.readThrough(
            container, videoIndex, reader.clock, rate: rate)
    }

    enum CodingKeys: String, CodingKey {
        case container, duration, video, audio
        case lastPacketEnd = "last_packet_end"
    }

    /// Grid index at which the last picture's packet ceases to be shown, and seconds from the
    /// container's start to the end of the last packet of any stream.
    private static func readThrough(
        _ container: Container, _ videoIndex: Int, _ clock: VideoClock, rate: AVRational
    ) throws -> (gridFrames: Int, lastPacketEnd: Double) {
        guard let packet = av_packet_alloc() else {
            throw MediaError(.processing, "out of memory for a packet", path: container.path)
        }
        var freeing: UnsafeMutablePointer<AVPacket>? = packet
        defer { av_packet_free(&freeing) }
        let stated = rate.num > 0 && rate.den > 0 ? rate : Grid.timeBase.inverted
        let nominal = max(1, av_rescale_q(1, stated.inverted, clock.timeBase))
        var (frames, seconds, untimed) = (1, 0.0, Int64(0))
        while container.nextPacket(into: packet) {
            let index = Int(packet.pointee.stream_index)
            let timeBase = container.stream(index).pointee.time_base
            let duration = max(0, packet.pointee.duration)
            if packet.pointee.pts != loopy_no_pts {
                let end = packet.pointee.pts + duration
                seconds = max(seconds, Double(end) * Double(timeBase.num) / Double(timeBase.den))
            }
            if index != videoIndex || packet.pointee.flags & AV_PKT_FLAG_DISCARD != 0 { continue }
            untimed += 1
            let shown = duration > 0 ? duration : nominal
            let end =
                packet.pointee.pts != loopy_no_pts
                ? packet.pointee.pts + shown : clock.start + untimed * nominal
            frames = max(frames, clock.gridIndex(end))
        }
        let start = container.context.pointee.start_time
        if start != loopy_no_pts { seconds -= Double(start) / Double(AV_TIME_BASE) }
        return (frames, (seconds * 1000).rounded() / 1000)
    }
}

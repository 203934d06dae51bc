import CFFmpeg
import Errors

/// What a file says of itself, with the start of its picture checked by decoding it.
public struct MediaProbe: Codable, Sendable, Equatable {
    public struct Video: Codable, Sendable, Equatable {
        public var codec: String
        /// The size of the upright picture in square pixels.
        public var width: Int
        public var height: Int
        /// The average number of pictures a second that the container states; 0 when it does not.
        public var framesPerSecond: Double
        public var clock: VideoClock
        /// The length on the 25 fps grid, by the packets that are really there.
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
        /// Seconds from the first picture to the end of the last packet of sound; nil where packets
        /// state no times.
        public var end: Double?

        enum CodingKeys: String, CodingKey {
            case codec, channels, end
            case sampleRate = "sample_rate"
        }
    }

    /// The `currentVersion` that found this out; nil where an earlier one did.
    public var version: Int?
    /// The demuxer's name, such as "mov,mp4,m4a,3gp,3g2,mj2".
    public var container: String
    /// How many seconds the container states that it lasts; 0 when it does not.
    public var duration: Double
    /// The seconds after which its last packet ends.
    public var lastPacketEnd: Double
    public var video: Video
    public var audio: Audio?

    /// A number that is raised whenever something else is found out of the same file. 2: the pixels' aspect that the
    /// container states; the end of sound where timestamps go back.
    package static let currentVersion = 2

    /// Opens the file, decodes its first picture and reads through its packets: headers are wrong
    /// about lengths often enough.
    ///
    /// - Throws: `LoopyError` when the file cannot be read, is no media file, is beyond the limits
    ///   or has no picture that can be decoded.
    public init(path: String, limits: MediaLimits = MediaLimits()) throws {
        let container = try Container(path: path, limits: limits)
        let reader = try VideoReader(path: path, range: 0..<1, threads: 1, limits: limits)
        guard let first = try reader.next()?.frame,
            let videoIndex = container.bestStream(AVMEDIA_TYPE_VIDEO)
        else {
            throw LoopyError(.undecodable, "no picture of it can be decoded", path: path)
        }
        let stream = container.stream(videoIndex).pointee
        let stated = container.context.duration
        version = Self.currentVersion
        self.container = String(cString: container.context.iformat.pointee.name)
        duration = stated == loopy_no_pts ? 0 : Double(stated) / Double(AV_TIME_BASE)
        let rate = stream.avg_frame_rate
        video = Video(
            codec: String(cString: avcodec_get_name(stream.codecpar.pointee.codec_id)),
            width: first.width, height: first.height,
            framesPerSecond: rate.den > 0 ? Double(rate.num) / Double(rate.den) : 0,
            clock: reader.clock, gridFrames: 0)
        let audioIndex = container.bestStream(AVMEDIA_TYPE_AUDIO, relatedTo: videoIndex)
        if let audioIndex {
            let parameters = container.stream(audioIndex).pointee.codecpar.pointee
            audio = Audio(
                codec: String(cString: avcodec_get_name(parameters.codec_id)),
                sampleRate: Int(parameters.sample_rate),
                channels: Int(parameters.ch_layout.nb_channels))
        }
        let packets = try PacketTimes(container, video: videoIndex, audio: audioIndex)
        lastPacketEnd = packets.lastEnd
        // Made up from first and last timestamp, it declares nothing.
        if container.context.duration_estimation_method == AVFMT_DURATION_FROM_PTS {
            duration = lastPacketEnd
        }
        audio?.end = packets.audioEnd.map {
            (($0 - reader.clock.startSeconds) * 1000).rounded() / 1000
        }
        if let gridFrames = packets.gridFrames(
            reader.clock, nominalDuration: container.nominalDuration(videoIndex))
        {
            video.gridFrames = gridFrames
        } else {
            video.clock.isRegular = false
            video.gridFrames = try MediaProbe.decodedFrames(path: path, limits: limits)
        }
        let seconds = video.gridFrames / Grid.framesPerSecond
        if Double(seconds) > limits.maximumDuration {
            throw LoopyError(
                .tooLarge,
                "has timestamps that span \(seconds) s; the limit is "
                    + "\(Int(limits.maximumDuration)) s (limits.maximum_duration)",
                path: path)
        }
    }

    /// The number of grid frames that the file really decodes to, counted no further than the limit.
    private static func decodedFrames(path: String, limits: MediaLimits) throws -> Int {
        let most = Int(min(limits.maximumDuration, 1e6)) * Grid.framesPerSecond
        let reader = try VideoReader(
            path: path, range: 0..<(most + Grid.framesPerSecond), limits: limits)
        var count = 0
        while try reader.next() != nil { count += 1 }
        return count
    }

    enum CodingKeys: String, CodingKey {
        case version, container, duration, video, audio
        case lastPacketEnd = "last_packet_end"
    }
}

/// When the packets of a file are shown, as far as their headers tell.
private struct PacketTimes {
    /// The seconds from the container's start to the end of the last packet of any stream.
    private(set) var lastEnd = 0.0
    /// The seconds of the container's time line at which the last packet of sound ends.
    private(set) var audioEnd: Double?

    private var sound = SoundClock()
    private var presentation: [(time: Int64, duration: Int64)] = []
    private var packets = 0

    init(_ container: Container, video: Int, audio: Int?) throws {
        let packet = try Packet()
        let stated = container.context.start_time
        let start = stated == loopy_no_pts ? 0 : Double(stated) / Double(AV_TIME_BASE)
        while container.nextPacket(into: packet) {
            let index = Int(packet.stream_index)
            let (pts, dts) = (packet.pts, packet.dts)
            let duration = max(0, packet.duration)
            if pts != loopy_no_pts || dts != loopy_no_pts {
                let timeBase = container.stream(index).pointee.time_base
                let tick = Double(timeBase.num) / Double(timeBase.den)
                let time = Double(pts != loopy_no_pts ? pts : dts) * tick
                let seconds = Double(duration) * tick
                // A leap beyond an hour is a broken timestamp.
                let end = time + seconds - start
                if end - lastEnd <= Double(VideoClock.longestPauseSeconds) {
                    lastEnd = max(lastEnd, end)
                }
                if index == audio, packet.flags & AV_PKT_FLAG_DISCARD == 0 {
                    let placed = sound.place(time, seconds: seconds)
                    // What packets say of their length is rounded.
                    let stated = time + sound.shift
                    let begin =
                        abs(stated - placed) < SoundClock.jitterSeconds ? stated : placed
                    audioEnd = max(audioEnd ?? -.infinity, begin + seconds)
                }
            }
            if index != video || packet.flags & AV_PKT_FLAG_DISCARD != 0 { continue }
            packets += 1
            if pts != loopy_no_pts { presentation.append((pts, duration)) }
        }
        lastEnd = (lastEnd * 1000).rounded() / 1000
    }

    /// The length on the grid; nil where timestamps are missing, repeated, out of order or leaping, so
    /// that only decoding can tell it.
    func gridFrames(_ clock: VideoClock, nominalDuration: Int64) -> Int? {
        // No codec reorders pictures further than this.
        let furthestReordering = 32
        let order = presentation.indices.sorted { presentation[$0].time < presentation[$1].time }
        guard presentation.count == packets, let last = order.last else { return nil }
        for (rank, index) in order.enumerated() {
            guard abs(rank - index) <= furthestReordering else { return nil }
            guard rank > 0 else { continue }
            let (time, overflows) = presentation[index].time.subtractingReportingOverflow(
                presentation[order[rank - 1]].time)
            guard !overflows, time > 0, time <= clock.longestPause else { return nil }
        }
        let shown = clock.shownDuration(
            stated: presentation[last].duration, nominal: nominalDuration)
        return max(1, clock.gridIndex(presentation[last].time &+ shown))
    }
}

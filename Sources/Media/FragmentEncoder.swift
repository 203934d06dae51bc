import CFFmpeg
import Errors

/// Encodes a video with sound as the fragments of an MP4: H.264, 25 pictures a second, BT.709; AAC, mono. Each
/// fragment has its own x264, so nothing of its pictures depends on those before. Its sound does.
final class FragmentEncoder {
    /// The sound's samples that one picture lasts.
    let samplesPerFrame: Int
    private let width: Int
    private let encoding: VideoEncoding
    private let sound: SoundTrack
    private let converter: PictureConverter
    private let timeBase: AVRational
    /// The number of fragments and of pictures so far.
    private var pieces = 0, frames = 0

    /// - Parameters:
    ///   - encoding: how pictures are encoded; its `size` is their height.
    ///   - width: the pictures' width, an even number; nil for square ones.
    ///   - rate: the sound's samples a second, which must make whole pictures.
    init(encoding: VideoEncoding, width: Int? = nil, rate: Int) throws {
        self.encoding = encoding
        self.width = width ?? encoding.size
        samplesPerFrame = rate / Grid.framesPerSecond
        timeBase = AVRational(num: 1, den: Int32(rate))
        sound = try SoundTrack(rate: rate)
        converter = try PictureConverter(width: self.width, height: encoding.size)
    }

    /// The number of the sound encoder's samples that come before the first of the sound.
    var delay: Int64 { sound.delay }

    /// Goes on behind fragments that are there already: their sound is encoded again, a second at a time, for
    /// what follows depends on it.
    ///
    /// - Parameter samples: gives the next samples of the sound.
    func skip(pieces: Int, frames: Int, _ samples: (Int) throws -> [Float]) throws {
        for start in stride(from: 0, to: frames, by: Grid.framesPerSecond) {
            let count = min(Grid.framesPerSecond, frames - start) * samplesPerFrame
            try sound.encode(samples(count), count: count, isLast: false) { _ in }
        }
        (self.pieces, self.frames) = (pieces, frames)
    }

    /// Encodes the next pictures and their sound.
    ///
    /// - Parameters:
    ///   - pictures: 8-bit RGB, `[height, width, 3]` each.
    ///   - samples: what the sound lacks of the pictures' time is silence.
    ///   - isLast: whether nothing comes behind.
    /// - Returns: the fragment, and what the first one's bytes come behind.
    func encode(
        _ pictures: [[UInt8]], sound samples: [Float], isLast: Bool
    ) throws -> (header: [UInt8], bytes: [UInt8]) {
        let video = try PacketEncoder(
            codec: "libx264", hasGlobalHeader: true
        ) { context in
            try encoding.configuration("bt709")(context)
            context.width = Int32(width)
        }
        let muxer = try Muxer(format: "mp4")
        try muxer.addStream(of: video, timeBase: timeBase)
        try muxer.addStream(of: sound.encoder)
        let header = try muxer.begin([
            "movflags": "frag_custom+empty_moov+default_base_moof+frag_discont",
            "fragment_index": String(pieces + 1),
            // Times are those of the whole video, and stay so.
            "avoid_negative_ts": "disabled",
        ])
        func write(_ packet: Packet) throws {
            packet.duration = 1
            av_packet_rescale_ts(packet.pointer, Grid.timeBase, timeBase)
            let start = Int64(frames * samplesPerFrame) + sound.delay
            packet.pts += start
            packet.dts += start
            try muxer.write(packet, to: 0, from: timeBase)
        }
        for (index, picture) in pictures.enumerated() {
            try video.encode(converter.frame(picture, number: index), write)
        }
        try video.encode(nil, write)
        let count = pictures.count * samplesPerFrame
        try sound.encode(samples, count: count, isLast: isLast) { packet in
            packet.pts += sound.delay
            packet.dts += sound.delay
            try muxer.write(packet, to: 1, from: timeBase)
        }
        try muxer.endFragment()
        pieces += 1
        frames += pictures.count
        let bytes = muxer.takeBytes()
        return (Array(bytes.prefix(header)), Array(bytes.dropFirst(header)))
    }
}

/// The sound of a video, as AAC.
private final class SoundTrack {
    private static let bitRate: Int64 = 96_000

    let encoder: PacketEncoder
    private let rate: Int
    private var waiting: [Float] = []
    private var encoded = 0

    init(rate: Int) throws {
        self.rate = rate
        encoder = try PacketEncoder(codec: "aac", hasGlobalHeader: true) { context in
            context.sample_fmt = AV_SAMPLE_FMT_FLTP
            context.sample_rate = Int32(rate)
            context.bit_rate = Self.bitRate
            context.time_base = AVRational(num: 1, den: Int32(rate))
            av_channel_layout_default(&context.pointer.pointee.ch_layout, 1)
        }
    }

    /// The number of the encoder's samples that come before the first of the sound.
    var delay: Int64 { Int64(encoder.context.initial_padding) }

    /// Encodes samples, as far as they make whole packets; silence fills them up to a count.
    func encode(
        _ samples: [Float], count: Int, isLast: Bool, _ body: (Packet) throws -> Void
    ) throws {
        waiting += samples + [Float](repeating: 0, count: count - samples.count)
        let size = Int(encoder.context.frame_size)
        while waiting.count >= size || (isLast && !waiting.isEmpty) {
            try encode(Array(waiting.prefix(size)), body)
            waiting.removeFirst(min(size, waiting.count))
        }
        if isLast { try encoder.encode(nil, body) }
    }

    private func encode(_ samples: [Float], _ body: (Packet) throws -> Void) throws {
        let frame = try Frame.samples(samples, rate: rate)
        frame.pts = Int64(encoded)
        try encoder.encode(frame, body)
        encoded += samples.count
    }
}

extension Frame {
    /// Sound of one channel.
    static func samples(_ samples: [Float], rate: Int) throws -> Frame {
        let frame = try Frame.samples(
            AV_SAMPLE_FMT_FLTP, rate: rate, channels: 1, count: samples.count)
        // A frame that FFmpeg allocated has its first plane.
        frame.data.0!.withMemoryRebound(to: Float.self, capacity: samples.count) {
            for index in samples.indices { $0[index] = samples[index] }
        }
        return frame
    }
}

/// RGB pictures to what x264 takes.
private final class PictureConverter {
    private let width: Int, height: Int
    private let scaling: ScalingContext

    init(width: Int, height: Int) throws {
        (self.width, self.height) = (width, height)
        guard
            let scaling = ScalingContext(
                width: Int32(width), height: Int32(height), from: AV_PIX_FMT_RGB24,
                to: AV_PIX_FMT_YUV420P,
                flags: SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP)
        else { throw LoopyError(.processing, "cannot convert pictures of \(width)x\(height)") }
        scaling.setColours(matrix: SWS_CS_ITU709, fromFullRange: true, toFullRange: false)
        self.scaling = scaling
    }

    func frame(_ rgb: [UInt8], number: Int) throws -> Frame {
        precondition(rgb.count == width * height * 3, "the picture is of another size")
        // A new one each time: the encoder may still hold the last.
        let picture = try Frame.picture(
            AV_PIX_FMT_YUV420P, width: Int32(width), height: Int32(height))
        let status = rgb.withUnsafeBufferPointer {
            scaling.convert($0, rowBytes: width * 3, into: picture)
        }
        try check(status, .processing, "cannot convert a picture")
        picture.pts = Int64(number)
        return picture
    }
}

import CFFmpeg
import Errors
import Foundation

/// A video with sound that is made piece by piece: after each piece the file can be played, and after an
/// interruption it can be gone on with. It ends with the same bytes as if it had been made in one go.
///
/// A fragmented MP4: H.264, 25 pictures a second, BT.709; AAC, 48 kHz, mono. Each piece has its own x264,
/// so nothing of it depends on the pieces before. AAC does, and is encoded again from its beginning when
/// a video is gone on with, which takes no time to speak of. `finish` makes a plain MP4 of it.
public final class GrowingVideo {
    /// How far it has come.
    public struct Place: Codable, Sendable, Equatable {
        public var pieces = 0
        public var frames = 0
        /// Of the file: what lies behind belongs to a piece that was not finished.
        public var bytes = 0

        public init() {}
    }

    public private(set) var place: Place
    public let path: String
    private let frames: Int
    private let encoding: VideoEncoding
    private let file: FileHandle
    private let sound: SoundTrack
    private let converter: PictureConverter

    /// - Parameters:
    ///   - sound: any media file; what it lacks at the end is silence, and what is too much is cut off.
    ///   - encoding: its `size` is the pictures' side.
    ///   - frames: of the whole video.
    ///   - place: of a file that is gone on with.
    /// - Throws: `LoopyError` when the file cannot be written, or the sound not be read.
    public init(
        path: String, sound: String, encoding: VideoEncoding, frames: Int,
        goingOnAt place: Place = Place()
    ) throws {
        self.path = path
        self.frames = frames
        self.encoding = encoding
        self.place = place
        self.sound = try SoundTrack(sound)
        try self.sound.skip(frames: place.frames)
        converter = try PictureConverter(side: encoding.size)
        if place.bytes == 0 { _ = FileManager.default.createFile(atPath: path, contents: nil) }
        do {
            file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
            guard try file.seekToEnd() >= place.bytes else {
                throw LoopyError(
                    .unreadable, "is shorter than when it was left; begin anew", path: path)
            }
            try file.truncate(atOffset: UInt64(place.bytes))
        } catch let error as LoopyError {
            throw error
        } catch {
            throw LoopyError(
                .processing, "cannot be written (\(error.localizedDescription))", path: path)
        }
    }

    /// Appends pictures and their sound; they are on the disk when this returns.
    ///
    /// - Parameter pictures: 8-bit RGB, `[side, side, 3]` each.
    public func append(_ pictures: [[UInt8]]) throws {
        let video = try PacketEncoder(
            codec: "libx264", hasGlobalHeader: true, configure: encoding.configuration("bt709"))
        let muxer = try Muxer(format: "mp4")
        try muxer.addStream(of: video, timeBase: SoundTrack.timeBase)
        try muxer.addStream(of: sound.encoder)
        let header = try muxer.begin([
            "movflags": "frag_custom+empty_moov+default_base_moof+frag_discont",
            "fragment_index": String(place.pieces + 1),
            // Times are those of the whole video, and stay so.
            "avoid_negative_ts": "disabled",
        ])
        func write(_ packet: UnsafeMutablePointer<AVPacket>) throws {
            packet.pointee.duration = 1
            av_packet_rescale_ts(packet, Grid.timeBase, SoundTrack.timeBase)
            let start = Int64(place.frames * SoundTrack.samplesPerFrame) + sound.delay
            packet.pointee.pts += start
            packet.pointee.dts += start
            try muxer.write(packet, to: 0, from: SoundTrack.timeBase)
        }
        for (index, picture) in pictures.enumerated() {
            try video.encode(converter.frame(picture, number: index), write)
        }
        try video.encode(nil, write)
        let isLast = place.frames + pictures.count >= frames
        try sound.encode(frames: pictures.count, isLast: isLast) { packet in
            packet.pointee.pts += sound.delay
            packet.pointee.dts += sound.delay
            try muxer.write(packet, to: 1, from: SoundTrack.timeBase)
        }
        try muxer.endFragment()
        let bytes = muxer.takeBytes().dropFirst(place.pieces == 0 ? 0 : header)
        do {
            try file.write(contentsOf: Data(bytes))
            try file.synchronize()
        } catch {
            throw LoopyError(
                .processing, "cannot be written (\(error.localizedDescription))", path: path)
        }
        place.pieces += 1
        place.frames += pictures.count
        place.bytes += bytes.count
    }

    /// Writes the finished video as a plain MP4 that begins with its index: the same packets.
    public func finish(to path: String) throws {
        let source = try Container(path: self.path, limits: MediaLimits())
        let muxer = try Muxer(format: "mp4", path: path)
        for stream in 0..<2 { try muxer.addStream(like: source.stream(stream)) }
        try muxer.begin(["movflags": "faststart"])
        guard let packet = av_packet_alloc() else {
            throw LoopyError(.processing, "out of memory for a packet")
        }
        var freeing: UnsafeMutablePointer<AVPacket>? = packet
        defer { av_packet_free(&freeing) }
        // Both streams tick as the sound does.
        let end = Int64(place.frames * SoundTrack.samplesPerFrame)
        while source.nextPacket(into: packet) {
            // What the decoder of AAC needs before the first sample lies before time 0 here.
            packet.pointee.pts -= sound.delay
            packet.pointee.dts -= sound.delay
            // The last packet of sound is padded, and its reader takes it for as long as the others.
            packet.pointee.duration = min(packet.pointee.duration, end - packet.pointee.pts)
            let stream = Int(packet.pointee.stream_index)
            try muxer.write(packet, to: stream, from: source.stream(stream).pointee.time_base)
        }
        try muxer.end()
    }
}

/// The sound of a video, as AAC.
private final class SoundTrack {
    static let rate = 48_000
    static let samplesPerFrame = rate / Grid.framesPerSecond
    static let timeBase = AVRational(num: 1, den: Int32(rate))
    private static let bitRate: Int64 = 96_000

    let encoder: PacketEncoder
    private let stream: AudioStream
    private var waiting: [Float] = []
    private var encoded = 0

    init(_ path: String) throws {
        stream = try AudioStream(path: path, rate: Self.rate)
        encoder = try PacketEncoder(codec: "aac", hasGlobalHeader: true) { context in
            context.pointee.sample_fmt = AV_SAMPLE_FMT_FLTP
            context.pointee.sample_rate = Int32(Self.rate)
            context.pointee.bit_rate = Self.bitRate
            context.pointee.time_base = Self.timeBase
            av_channel_layout_default(&context.pointee.ch_layout, 1)
        }
    }

    /// Samples of the encoder that come before the first of the sound.
    var delay: Int64 { Int64(encoder.context.pointee.initial_padding) }

    /// Encodes what is in the file already, a second at a time: what follows depends on it.
    func skip(frames: Int) throws {
        for start in stride(from: 0, to: frames, by: Grid.framesPerSecond) {
            let count = min(Grid.framesPerSecond, frames - start)
            try encode(frames: count, isLast: false) { _ in }
        }
    }

    /// Encodes the sound of the next pictures, as far as it makes whole packets.
    func encode(
        frames: Int, isLast: Bool, _ body: (UnsafeMutablePointer<AVPacket>) throws -> Void
    ) throws {
        let count = frames * Self.samplesPerFrame
        let samples = try stream.next(count)
        waiting += samples + [Float](repeating: 0, count: count - samples.count)
        let size = Int(encoder.context.pointee.frame_size)
        while waiting.count >= size || (isLast && !waiting.isEmpty) {
            try encode(Array(waiting.prefix(size)), body)
            waiting.removeFirst(min(size, waiting.count))
        }
        if isLast { try encoder.encode(nil, body) }
    }

    private func encode(
        _ samples: [Float], _ body: (UnsafeMutablePointer<AVPacket>) throws -> Void
    ) throws {
        guard let frame = av_frame_alloc() else {
            throw LoopyError(.processing, "out of memory for a frame")
        }
        defer { free(frame) }
        frame.pointee.format = AV_SAMPLE_FMT_FLTP.rawValue
        frame.pointee.sample_rate = Int32(Self.rate)
        frame.pointee.nb_samples = Int32(samples.count)
        frame.pointee.pts = Int64(encoded)
        av_channel_layout_default(&frame.pointee.ch_layout, 1)
        try check(av_frame_get_buffer(frame, 0), .processing, "out of memory for samples")
        frame.pointee.data.0!.withMemoryRebound(to: Float.self, capacity: samples.count) {
            for index in samples.indices { $0[index] = samples[index] }
        }
        try encoder.encode(frame, body)
        encoded += samples.count
    }
}

/// Square RGB pictures to what x264 takes.
private final class PictureConverter {
    private let side: Int
    private let context: OpaquePointer
    private let picture: UnsafeMutablePointer<AVFrame>

    init(side: Int) throws {
        self.side = side
        let size = Int32(side)
        guard
            let context = sws_getContext(
                size, size, AV_PIX_FMT_RGB24, size, size, AV_PIX_FMT_YUV420P,
                SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP, nil, nil, nil),
            let picture = av_frame_alloc()
        else { throw LoopyError(.processing, "cannot convert pictures of \(side)x\(side)") }
        self.context = context
        self.picture = picture
        let matrix = sws_getCoefficients(SWS_CS_ITU709)
        let neutral: Int32 = 1 << 16  // contrast and saturation, 16.16
        sws_setColorspaceDetails(context, matrix, 1, matrix, 0, 0, neutral, neutral)
    }

    deinit {
        sws_freeContext(context)
        free(picture)
    }

    /// - Returns: a frame that stands until the next call.
    func frame(_ rgb: [UInt8], number: Int) throws -> UnsafeMutablePointer<AVFrame> {
        precondition(rgb.count == side * side * 3, "the picture is of another size")
        // The encoder may still hold the last one.
        av_frame_unref(picture)
        picture.pointee.format = AV_PIX_FMT_YUV420P.rawValue
        (picture.pointee.width, picture.pointee.height) = (Int32(side), Int32(side))
        try check(av_frame_get_buffer(picture, 0), .processing, "out of memory for a picture")
        let rows = rgb.withUnsafeBufferPointer { pixels in
            var planes = [pixels.baseAddress]
            var strides = [Int32(side * 3)]
            var targets = [picture.pointee.data.0, picture.pointee.data.1, picture.pointee.data.2]
            var targetStrides = [
                picture.pointee.linesize.0, picture.pointee.linesize.1, picture.pointee.linesize.2,
            ]
            return sws_scale(
                context, &planes, &strides, 0, Int32(side), &targets, &targetStrides)
        }
        try check(rows, .processing, "cannot convert a picture")
        picture.pointee.pts = Int64(number)
        return picture
    }
}

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
    /// How far a video has come.
    public struct Progress: Codable, Sendable, Equatable {
        public var pieces = 0
        public var frames = 0
        /// The file's length: what lies behind belongs to a piece that was not finished.
        public var bytes = 0

        public init() {}
    }

    public private(set) var progress: Progress
    public let path: String
    private let frames: Int
    private let width: Int
    private let encoding: VideoEncoding
    private let file: FileHandle
    private let sound: SoundTrack
    private let converter: PictureConverter

    /// - Parameters:
    ///   - sound: any media file; what it lacks at the end is silence, and what is too much is cut off.
    ///   - encoding: how pictures are encoded; its `size` is their height.
    ///   - width: the pictures' width, an even number; nil for square ones.
    ///   - frames: the number of pictures of the whole video.
    ///   - progress: how far the file has come that is continued.
    /// - Throws: `LoopyError` when the file cannot be written, or the sound not be read.
    public init(
        path: String, sound: String, encoding: VideoEncoding, width: Int? = nil, frames: Int,
        continuing progress: Progress = Progress()
    ) throws {
        self.path = path
        self.frames = frames
        self.width = width ?? encoding.size
        self.encoding = encoding
        self.progress = progress
        self.sound = try SoundTrack(sound)
        try self.sound.skip(frames: progress.frames)
        converter = try PictureConverter(width: self.width, height: encoding.size)
        if progress.bytes == 0 { _ = FileManager.default.createFile(atPath: path, contents: nil) }
        do {
            file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
            guard try file.seekToEnd() >= progress.bytes else {
                throw LoopyError(
                    .unreadable, "is shorter than when it was left; begin anew", path: path)
            }
            try file.truncate(atOffset: UInt64(progress.bytes))
        } catch let error as LoopyError {
            throw error
        } catch {
            throw LoopyError(
                .output, "cannot be written (\(error.localizedDescription))", path: path)
        }
    }

    /// Appends pictures and their sound; they are on the disk when this returns.
    ///
    /// - Parameter pictures: 8-bit RGB, `[height, width, 3]` each.
    public func append(_ pictures: [[UInt8]]) throws {
        let video = try PacketEncoder(
            codec: "libx264", hasGlobalHeader: true
        ) { context in
            try encoding.configuration("bt709")(context)
            context.width = Int32(width)
        }
        let muxer = try Muxer(format: "mp4")
        try muxer.addStream(of: video, timeBase: SoundTrack.timeBase)
        try muxer.addStream(of: sound.encoder)
        let header = try muxer.begin([
            "movflags": "frag_custom+empty_moov+default_base_moof+frag_discont",
            "fragment_index": String(progress.pieces + 1),
            // Times are those of the whole video, and stay so.
            "avoid_negative_ts": "disabled",
        ])
        func write(_ packet: Packet) throws {
            packet.duration = 1
            av_packet_rescale_ts(packet.pointer, Grid.timeBase, SoundTrack.timeBase)
            let start = Int64(progress.frames * SoundTrack.samplesPerFrame) + sound.delay
            packet.pts += start
            packet.dts += start
            try muxer.write(packet, to: 0, from: SoundTrack.timeBase)
        }
        for (index, picture) in pictures.enumerated() {
            try video.encode(converter.frame(picture, number: index), write)
        }
        try video.encode(nil, write)
        let isLast = progress.frames + pictures.count >= frames
        try sound.encode(frames: pictures.count, isLast: isLast) { packet in
            packet.pts += sound.delay
            packet.dts += sound.delay
            try muxer.write(packet, to: 1, from: SoundTrack.timeBase)
        }
        try muxer.endFragment()
        let bytes = muxer.takeBytes().dropFirst(progress.pieces == 0 ? 0 : header)
        do {
            try file.write(contentsOf: Data(bytes))
            try file.synchronize()
        } catch {
            throw LoopyError(
                .output, "cannot be written (\(error.localizedDescription))", path: path)
        }
        progress.pieces += 1
        progress.frames += pictures.count
        progress.bytes += bytes.count
    }

    /// Writes the finished video as a plain MP4 that begins with its index: the same packets.
    public func finish(to path: String) throws {
        let source = try Container(path: self.path, limits: MediaLimits())
        let muxer = try Muxer(format: "mp4", path: path)
        for stream in 0..<2 { try muxer.addStream(like: source.stream(stream)) }
        try muxer.begin(["movflags": "faststart"])
        let packet = try Packet()
        // Both streams tick as the sound does.
        let end = Int64(progress.frames * SoundTrack.samplesPerFrame)
        while source.nextPacket(into: packet) {
            // What the decoder of AAC needs before the first sample lies before time 0 here.
            packet.pts -= sound.delay
            packet.dts -= sound.delay
            // The last packet of sound is padded, and its reader takes it for as long as the others.
            packet.duration = min(packet.duration, end - packet.pts)
            let stream = Int(packet.stream_index)
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
            context.sample_fmt = AV_SAMPLE_FMT_FLTP
            context.sample_rate = Int32(Self.rate)
            context.bit_rate = Self.bitRate
            context.time_base = Self.timeBase
            av_channel_layout_default(&context.pointer.pointee.ch_layout, 1)
        }
    }

    /// The number of the encoder's samples that come before the first of the sound.
    var delay: Int64 { Int64(encoder.context.initial_padding) }

    /// Encodes what is in the file already, a second at a time: what follows depends on it.
    func skip(frames: Int) throws {
        for start in stride(from: 0, to: frames, by: Grid.framesPerSecond) {
            let count = min(Grid.framesPerSecond, frames - start)
            try encode(frames: count, isLast: false) { _ in }
        }
    }

    /// Encodes the sound of the next pictures, as far as it makes whole packets.
    func encode(
        frames: Int, isLast: Bool, _ body: (Packet) throws -> Void
    ) throws {
        let count = frames * Self.samplesPerFrame
        let samples = try stream.next(count)
        waiting += samples + [Float](repeating: 0, count: count - samples.count)
        let size = Int(encoder.context.frame_size)
        while waiting.count >= size || (isLast && !waiting.isEmpty) {
            try encode(Array(waiting.prefix(size)), body)
            waiting.removeFirst(min(size, waiting.count))
        }
        if isLast { try encoder.encode(nil, body) }
    }

    private func encode(_ samples: [Float], _ body: (Packet) throws -> Void) throws {
        let frame = try Frame.samples(
            AV_SAMPLE_FMT_FLTP, rate: Self.rate, channels: 1, count: samples.count)
        frame.pts = Int64(encoded)
        // A frame that FFmpeg allocated has its first plane.
        frame.data.0!.withMemoryRebound(to: Float.self, capacity: samples.count) {
            for index in samples.indices { $0[index] = samples[index] }
        }
        try encoder.encode(frame, body)
        encoded += samples.count
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

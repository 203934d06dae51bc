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
    private let file: FileHandle
    private let sound: AudioStream
    private let fragments: FragmentEncoder

    private static let rate = 48_000

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
        self.progress = progress
        self.sound = try AudioStream(path: sound, rate: Self.rate)
        fragments = try FragmentEncoder(encoding: encoding, width: width, rate: Self.rate)
        try fragments.skip(pieces: progress.pieces, frames: progress.frames) {
            [sound = self.sound] in
            try sound.next($0)
        }
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
        let isLast = progress.frames + pictures.count >= frames
        let heard = try sound.next(pictures.count * fragments.samplesPerFrame)
        let fragment = try fragments.encode(pictures, sound: heard, isLast: isLast)
        let bytes = (progress.pieces == 0 ? fragment.header : []) + fragment.bytes
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
        let end = Int64(progress.frames * fragments.samplesPerFrame)
        while source.nextPacket(into: packet) {
            // What the decoder of AAC needs before the first sample lies before time 0 here.
            packet.pts -= fragments.delay
            packet.dts -= fragments.delay
            // The last packet of sound is padded, and its reader takes it for as long as the others.
            packet.duration = min(packet.duration, end - packet.pts)
            let stream = Int(packet.stream_index)
            try muxer.write(packet, to: stream, from: source.stream(stream).pointee.time_base)
        }
        try muxer.end()
    }
}

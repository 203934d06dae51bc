import Dataset
import Errors
import Media
import Speech
import Storage
import Torch

/// The column `speech`: what the model listens to, `[T, L, C]`: L layers of a speech encoder for every
/// video frame.
public struct SpeechColumn: FeatureColumn {
    public static let name = "speech"
    public static let inputs = ["audio"]

    public let settings: SpeechSettings
    public let identity: ColumnIdentity
    private let encoder: Lazily<any SpeechEncoder>
    private let element: NumPyElement

    public init(_ settings: SpeechSettings, _ context: ColumnContext) throws {
        let source = try settings.encoderSource()
        self.settings = settings
        encoder = source.encoder
        element = settings.dtype == .float16 ? .float16 : .float32
        identity = ColumnIdentity(
            version: 1,
            configuration: source.configuration.merging(["dtype": settings.dtype.rawValue]) {
                a, _ in a
            },
            networks: source.networks)
    }

    public func member(of clip: ClipInputs) throws -> ColumnMember {
        let file = clip["audio"], encoder = try encoder.get()
        let (recording, samples) = try Recording.file(file.path, bytes: file.bytes)
        let frames = Recording.frames(samples: samples)
        let header = NumPyHeader(
            type: element.rawValue, shape: [frames, encoder.layers, encoder.channels])
        guard frames > 0, let size = header.fileSize else {
            throw LoopyError(.unsuitable, "holds no sound", path: file.path)
        }
        return ColumnMember(byteCount: size, frames: frames) { write in
            do {
                try write(header.encoded())
                try encoder.encode(recording) { features in
                    try features.to(element == .float16 ? .float16 : .float32).withBytes {
                        try write([UInt8]($0))
                    }
                }
            } catch let error as LoopyError where error.path == nil && error.category != .output {
                throw LoopyError(error.category, error.message, path: file.path)
            }
        }
    }
}

extension Recording {
    /// A recording of up to ten minutes is held in memory: decoding it once more costs time.
    private static let longestInMemory = 600 * Recording.sampleRate

    /// The sound of a media file, or of a part of a file: a member of an archive.
    ///
    /// - Throws: `LoopyError`, as `AudioStream`.
    public static func file(
        _ path: String, bytes: Range<Int>? = nil
    ) throws -> (Recording, samples: Int) {
        let stream = try AudioStream(path: path, bytes: bytes)
        guard stream.sampleCount > longestInMemory else {
            return (Recording(try stream.next(stream.sampleCount)), stream.sampleCount)
        }
        let recording = Recording {
            let stream = try AudioStream(path: path, bytes: bytes)
            return { try stream.next($0) }
        }
        return (recording, stream.sampleCount)
    }
}

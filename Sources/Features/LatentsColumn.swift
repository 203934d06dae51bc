import Dataset
import Diffusion
import Errors
import Storage
import Torch

/// The column `latents`: what the diffusion model works on, `[T, C, h, w]`: every frame of a clip, coded.
public struct LatentsColumn: FeatureColumn {
    public static let name = "latents"
    public static let inputs = ["video"]

    public let settings: LatentsSettings
    public let identity: ColumnIdentity
    private let source: LatentsSettings.CodecSource
    private let device: Device
    private let element: NumPyElement
    private let threads: Int

    /// False while a codec of the dataset's own is still to be fitted.
    public static func isPrepared(
        _ settings: LatentsSettings, _ context: ColumnContext
    ) throws -> Bool {
        try CodecFitting(settings, context)?.isDone ?? true
    }

    public static func prepare(
        _ settings: LatentsSettings, _ context: ColumnContext,
        _ onStep: (_ done: Int, _ total: Int) -> Void
    ) throws {
        try CodecFitting(settings, context)?.fitOnce(onStep)
    }

    public init(_ settings: LatentsSettings, _ context: ColumnContext) throws {
        var settings = settings
        if let fitting = try CodecFitting(settings, context) {
            try fitting.fitOnce()
            settings.weights = fitting.name
        }
        source = try settings.codecSource(in: context.dataset)
        self.settings = settings
        device = try Device(settings.device)
        element = settings.dtype == .float16 ? .float16 : .float32
        threads = context.threads
        var facts = ["channels": source.channels, "factor": source.factor]
        facts["side"] = settings.side > 0 ? settings.side : context.facts("video")["side"]
        identity = ColumnIdentity(
            version: 1,
            configuration: [
                "codec": settings.codec.rawValue, "side": "\(settings.side)",
                "dtype": settings.dtype.rawValue,
            ], networks: source.networks, facts: facts)
    }

    public func member(of clip: ClipInputs) throws -> ColumnMember {
        let pictures = Pictures(clip["video"], side: settings.side, threads: threads)
        let codec = try source.codec.get()
        let (frames, height, width) = try pictures.size()
        guard height % codec.factor == 0, width % codec.factor == 0 else {
            throw LoopyError(
                .unsuitable,
                "pictures of \(width)x\(height) pixels cannot be divided into squares of "
                    + "\(codec.factor) pixels; set extract.latents.side", path: pictures.slice.path)
        }
        let header = NumPyHeader(
            type: element.rawValue,
            shape: [frames, codec.channels, height / codec.factor, width / codec.factor])
        guard frames > 0, let size = header.fileSize else {
            throw LoopyError(.undecodable, "holds no picture", path: pictures.slice.path)
        }
        return ColumnMember(byteCount: size, frames: frames) { write in
            try write(header.encoded())
            try pictures.visit { picture in
                let latents = withoutGradient { codec.encode(picture.to(device)) }
                try latents.to(element == .float16 ? .float16 : .float32).withBytes {
                    try write([UInt8]($0))
                }
            }
        }
    }
}

/// Latents of some frames of a video, as the column would hold them: for shards that have no such column.
public struct FrameCoder {
    private let settings: LatentsSettings
    private let codec: any LatentCodec
    private let device: Device

    /// - Throws: `LoopyError` `.configuration` for settings that cannot be used; what is wrong with
    ///   weights.
    public init(_ settings: LatentsSettings) throws {
        self.settings = settings
        device = try Device(settings.device)
        codec = try settings.makeCodec().codec
    }

    /// - Returns: float32 `[T, C, h, w]`, T of the frames that are there.
    /// - Throws: `LoopyError` for a video that cannot be decoded.
    public func latents(path: String, bytes: Range<Int>?, frames: Range<Int>) throws -> Tensor {
        var latents: [Tensor] = []
        let pictures = Pictures(
            FileSlice(path: path, bytes: bytes), side: settings.side, threads: 0)
        try pictures.visit(frames) { picture in
            guard picture.length(2).isMultiple(of: codec.factor),
                picture.length(3).isMultiple(of: codec.factor)
            else {
                throw LoopyError(
                    .configuration,
                    "\(path): pictures of \(picture.length(3))x\(picture.length(2)) pixels cannot be divided "
                        + "into squares of \(codec.factor) pixels; set train.data.latents.side")
            }
            let coded = withoutGradient { codec.encode(picture.to(device)) }
            latents.append(settings.dtype == .float16 ? coded.to(.float16) : coded)
        }
        guard !latents.isEmpty else {
            throw LoopyError(.malformed, "\(path): holds no picture of frames \(frames)")
        }
        return concatenated(latents, along: 0).to(.cpu).to(.float32)
    }
}

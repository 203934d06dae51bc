import Torch

/// What turns a recording into features, one row a video frame (25 a second).
public protocol SpeechEncoder {
    /// Features of a frame: L layers of C channels.
    var layers: Int { get }
    var channels: Int { get }

    /// Encodes a recording in bounded memory, however long it is.
    ///
    /// - Parameter body: takes the features in order, in pieces `[t, L, C]`, float32: T rows
    ///   altogether, `Recording.frames` of the recording's samples.
    /// - Throws: `LoopyError` `.unsuitable` when there is too little of it; what reading throws.
    func encode(_ recording: Recording, _ body: (Tensor) throws -> Void) throws
}

extension SpeechEncoder {
    /// All features at once: `[T, L, C]`, float32.
    public func encode(_ recording: Recording) throws -> Tensor {
        var pieces: [Tensor] = []
        try encode(recording) { pieces.append($0) }
        return concatenated(pieces, along: 0)
    }
}

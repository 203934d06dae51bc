import Torch

/// Turns a recording into features, one row a video frame (25 a second).
public protocol SpeechEncoder: AnyObject {
    /// The number L of layers of a frame's features.
    var layers: Int { get }
    /// The number C of channels of a layer.
    var channels: Int { get }

    /// The variance of samples, from 0 to 1, below which a recording counts as this loud: in sound that is
    /// still coming in, a silence is not to be made as loud as speech. 0 at first.
    var leastVariance: Double { get set }

    /// Encodes a recording in bounded memory, however long it is.
    ///
    /// - Parameter body: takes the features in order, in pieces `[t, L, C]`, float32: T rows
    ///   altogether, `Recording.frames` of the recording's samples.
    /// - Throws: `LoopyError` `.unsuitable` when the recording is empty, or shorter than what a step of the
    ///   encoder hears, and what reading throws.
    func encode(_ recording: Recording, _ body: (Tensor) throws -> Void) throws
}

extension SpeechEncoder {
    /// Encodes a recording at once: `[T, L, C]`, float32.
    public func encode(_ recording: Recording) throws -> Tensor {
        var pieces: [Tensor] = []
        try encode(recording) { pieces.append($0) }
        return concatenated(pieces, along: 0)
    }
}

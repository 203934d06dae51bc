import Torch

/// What turns a recording into features, one row a video frame (25 a second).
public protocol SpeechEncoder {
    /// Features of a frame: L layers of C channels.
    var layers: Int { get }
    var channels: Int { get }

    /// Encodes a recording in bounded memory, however long it is.
    ///
    /// - Parameters:
    ///   - begin: called once, with the number of frames T.
    ///   - body: takes the features in order, in pieces `[t, L, C]`, float32.
    /// - Throws: `SpeechError` `.recording` when there is too little of it; what reading throws.
    func encode(
        _ recording: Recording, begin: (Int) throws -> Void, _ body: (Tensor) throws -> Void
    ) throws
}

extension SpeechEncoder {
    /// All features at once: `[T, L, C]`, float32.
    public func encode(_ recording: Recording) throws -> Tensor {
        var pieces: [Tensor] = []
        try encode(recording, begin: { _ in }, { pieces.append($0) })
        return concatenated(pieces, along: 0)
    }
}

import Torch

/// Puts together the audio embedding of a frame: the features of the frames around it (Loopy, section
/// 3.3: five, f-2 to f+2). A dataset stores features once a frame.
public enum SpeechWindows {
    /// The number of frames on either side.
    public static let radius = 2

    /// The windows of some frames. Beyond the ends, the first and the last frame are repeated.
    ///
    /// - Parameters:
    ///   - features: `[T, L, C]`.
    ///   - frames: the frames whose windows are wanted; nil for all.
    /// - Returns: `[t, 5, L, C]`.
    public static func windows(_ features: Tensor, frames: Range<Int>? = nil) -> Tensor {
        let last = features.length(0) - 1
        let frames = frames ?? 0..<(last + 1)
        let indices = (frames.lowerBound - radius..<frames.upperBound + radius).map {
            min(max($0, 0), last)
        }
        let padded = features.indexSelect(Tensor(indices, device: features.device), along: 0)
        return padded.unfold(along: 0, size: 2 * radius + 1, step: 1).permuted(0, 3, 1, 2)
    }
}

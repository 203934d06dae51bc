import Speech
import Torch

/// Cuts speech features into clips, as they come from the encoder: no more of them are in memory than the
/// next clip needs.
package struct SpeechClips {
    /// F: the number of frames of a clip.
    let frames: Int
    /// The number of frames of the whole recording.
    let total: Int
    /// The features from frame `start` on: `[t, L, S]`.
    private var features: Tensor?
    private var start = 0
    /// The first frame of the next clip.
    private var next = 0

    package init(frames: Int, total: Int) {
        self.frames = frames
        self.total = total
    }

    /// Adds features, and hands out each clip that is then complete.
    ///
    /// - Parameters:
    ///   - piece: `[t, L, S]`.
    ///   - body: gets speech windows `[F, 5, L, S]`; behind the recording's end its last frame stands.
    package mutating func add(_ piece: Tensor, _ body: (Tensor) throws -> Void) throws {
        features = features.map { concatenated([$0, piece], along: 0) } ?? piece
        let radius = SpeechWindows.radius
        while next < total, let known = features {
            let end = start + known.length(0)
            guard end >= min(total, next + frames + radius) else { return }
            let first = next - start
            let windows = SpeechWindows.windows(
                known[..<(min(end, total) - start)], frames: first..<(first + frames))
            next += frames
            let stale = max(0, min(next - radius, end) - start)
            // A copy: a view would keep what is not needed any more.
            features = known[stale...].copy()
            start += stale
            try body(windows)
        }
    }
}

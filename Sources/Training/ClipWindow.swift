import Errors
import Perception
import Speech
import Storage
import Torch

// Shapes: F frames of a window, H frames before it, C channels, height h and width w of latents,
// L layers and S channels of speech features.

/// What one training sample sees of a clip.
public struct ClipWindow {
    public var key: String
    /// The path of the shard that holds the clip.
    public var shard: String
    /// The first frame, counted from the clip's beginning.
    public var start: Int
    /// The clean latents: `[F, C, h, w]`.
    public var latents: Tensor
    /// The latents of the frames before, in the order of time: `[H, C, h, w]`, in the type that the shard
    /// has them in, for few of them are looked at. H is less than wanted at the clip's beginning, and may
    /// be 0.
    public var history: Tensor
    /// The latents of a random frame of the clip: `[C, h, w]`.
    public var reference: Tensor
    /// The speech features of the frames f - 2 to f + 2: `[F, 5, L, S]`. This and what follows is empty
    /// or 0 where no conditions were wanted.
    public var speech: Tensor
    /// The key points, in parts of the crop's side: `[F, 68, 2]`.
    public var landmarks: Tensor
    /// The variances over the window, in squares of the crop's side.
    public var headMotion: Float
    public var expression: Float
}

/// Which window it is: enough to read it again.
struct WindowPosition: Codable, Sendable, Equatable {
    /// The index of the shard in the order of names.
    var shard: Int
    var key: String
    /// The window's first frame.
    var start: Int
    /// The frame that is the window's reference.
    var reference: Int
}

/// A window as it waits to be handed out, in the types that the shard has, which take half the memory. Of a
/// clip no more is kept than its windows see, once where they overlap.
struct StoredWindow {
    let position: WindowPosition
    let shard: String
    /// H.
    let historyCount: Int
    /// `[H + F, C, h, w]`.
    let latents: Tensor
    /// `[1, C, h, w]`.
    let reference: Tensor
    /// Nil where none were wanted.
    let landmarks: Landmarks?
    let conditions: Conditions?

    struct Landmarks {
        /// `[F, 68, 3]`, in pixels.
        let keypoints: Tensor
        /// The side of the crop, in pixels.
        let side: Double
    }

    struct Conditions {
        /// The frames from two before the window to two after it, as far as they are there: `[t, L, S]`.
        let speech: Tensor
        /// The index of the window's first frame in `speech`.
        let speechStart: Int
        /// The variances, `[1, 2]`; nil where the column has them over another number of frames.
        let motion: Tensor?
    }

    /// Makes the window that the model sees.
    ///
    /// - Throws: `LoopyError` `.malformed` when a value is no finite number.
    func window() throws(LoopyError) -> ClipWindow {
        try requireFinite("latents", latents)
        let end = latents.length(0), frames = end - historyCount
        var window = ClipWindow(
            key: position.key, shard: shard, start: position.start,
            latents: latents[historyCount..<end].floats(),
            history: latents[0..<historyCount],
            reference: try checked("latents", reference)[0],
            speech: .zeros([frames, 2 * SpeechWindows.radius + 1, 0, 0]),
            landmarks: .zeros([frames, 0, 2]), headMotion: 0, expression: 0)
        if let landmarks {
            let points = try checked("keypoints", landmarks.keypoints)
            window.landmarks = points[.all, .all, 0..<2] / landmarks.side
        }
        guard let conditions, let landmarks else { return window }
        let first = conditions.speechStart
        window.speech = SpeechWindows.windows(
            try checked("speech", conditions.speech), frames: first..<(first + frames))
        let variances: [Float]
        if let motion = conditions.motion {
            variances = try checked("motion", motion).array()
        } else {
            variances = try Self.variances(landmarks)
        }
        (window.headMotion, window.expression) = (variances[0], variances[1])
        return window
    }

    /// The variances over the window, from its key points.
    private static func variances(_ landmarks: Landmarks) throws(LoopyError) -> [Float] {
        let keypoints = NumPyArray(
            shape: landmarks.keypoints.shape, values: landmarks.keypoints.to(.float32).array())
        do {
            return try MotionVariance.column(
                keypoints, side: landmarks.side, window: landmarks.keypoints.length(0)
            ).values
        } catch {
            throw LoopyError(.malformed, "key points: \(error)")
        }
    }

    private func checked(_ name: String, _ stored: Tensor) throws(LoopyError) -> Tensor {
        try requireFinite(name, stored)
        return stored.floats()
    }

    private func requireFinite(_ name: String, _ stored: Tensor) throws(LoopyError) {
        guard !stored.hasOnlyFiniteElements else { return }
        throw LoopyError(
            .malformed,
            "\(shard), clip \(position.key): \(name) of the window at frame \(position.start) are not "
                + "all finite numbers; extract them again")
    }
}
